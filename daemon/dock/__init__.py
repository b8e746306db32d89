"""The dock: mounts, safe reading, the ingest pipeline, its store, its service.

May import custody, vault, link, seal, core, model; never policy, review or board: they meet only in MQTT.
"""
