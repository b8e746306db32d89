"""The cryptography: streaming AEAD, key wrapping, signed envelopes, signed notes, and who is enrolled.

Works on bytes and keys; opens no network and no database. May import `daemon.core` and `daemon.model`.
"""
