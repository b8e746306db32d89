"""The policy service on MQTT: what it hears, what it sends, and catching up after it was away.

May import context, store and link; nothing of the rules.
"""
