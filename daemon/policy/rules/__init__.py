"""The rules: regimes of Cedar policies are read and checked, asked a question, and their ruling is explained.

May import core and model; nothing else of the policy service. No database, no MQTT and no clock: the same facts under
the same regime always give the same ruling.
"""
