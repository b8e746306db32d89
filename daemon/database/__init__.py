"""Databases: SQLite made durable and migrated, PostgreSQL behind the same calls.

May import vault (durable writes) and model; knows nothing of any service's tables.
"""
