"""The docked camera: finding its mount, and the reader process, the only code that ever touches it.

May import seal, vault, core, model. What runs in the reader process (process, sealer, eraser, byte_path, safe_open)
reaches no database, custody log, MQTT or signing key: import-linter holds it to that.
"""
