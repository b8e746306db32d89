"""The policy service's database, SQLite or PostgreSQL. Its rows are an index: every fact is read from the attestation
itself, verified again. Statements are written once for both, in SQLAlchemy Core. One thread owns a store.
"""

from __future__ import annotations

from daemon.policy.store.store import PolicyStore, open_store, read_log

__all__ = ["PolicyStore", "open_store", "read_log"]
