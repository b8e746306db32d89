"""The vault, where sealed clips lie: its layout, durable writes, and reading.

May import seal, core, model. Knows no bays, no network, no database.
"""
