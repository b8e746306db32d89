"""What the policy service does about a clip: takes in notices and attestations, decides on requests, issues orders.

May import context, rules and store; nothing of MQTT. Every function here runs inside a transaction of the store.
"""
