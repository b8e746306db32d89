"""What arrives over MQTT for this dock: each message is verified, decided in the loop's transaction, and recorded.

May import locks, dispatch, context and what lies below; bad input is refused and recorded, never raised.
"""
