"""Databases: durable SQLite with migrations, and PostgreSQL with the same methods.

May import vault (durable writes) and model; knows nothing of any service's tables.
"""
