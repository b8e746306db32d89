"""What the service knows of each clip and incident, and what it decides on it.

May import context, rules, store; nothing of MQTT.
"""
