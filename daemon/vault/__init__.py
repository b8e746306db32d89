"""Where sealed clips lie: the layout of a vault, durable writes, reading it back.

May import seal, core, model. Knows no bays, no network, no database.
"""
