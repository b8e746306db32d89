"""MQTT 5: connections, sending with acknowledgement, one-off clients for the command line; and the service manager.

Callbacks only put events on the owner's queue. May import seal, core, model; knows no documents.
"""
