"""The rules: Cedar regimes read, asked, explained; what a question to them holds. Decides, stores nothing.

May import core and model; nothing of cases, MQTT or the store.
"""
