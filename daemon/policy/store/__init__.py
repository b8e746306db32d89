"""The policy service's database, SQLite or PostgreSQL. It stores and finds rows, and decides nothing.

May import custody, database, seal and model; nothing else of the policy service. One thread owns a store.
The rows are an index: every fact is read from the signed attestation itself, whose signature is verified again.
"""
