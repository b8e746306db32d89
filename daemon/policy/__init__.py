"""The policy service: who may view which clip, for what, and why.

The decision core (facts, question, regime, ask, needs, decide) is pure: no database, no MQTT, no clock; what it needs
is passed in. This room may import model, core, seal, custody, vault and link; never cli, dock, review or board.
"""
