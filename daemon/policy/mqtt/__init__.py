"""The policy service on MQTT: what it subscribes to and publishes, whether it leads, and how it catches up.

May import the store, link, runtime and model, and of the rules only the type of a regime. It decides nothing on clips.
"""
