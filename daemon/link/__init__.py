"""MQTT 5: connections, sending with acknowledgement, short visits for the command line.

Callbacks only put events on the owner's queue. May import seal, core, model; knows no documents.
"""
