"""How many attestations and notices were refused."""

from __future__ import annotations

from sqlalchemy import select

from daemon.policy.store import tables
from daemon.policy.store.sql import QueryRunner, insert_or_increment

_F = tables.refusal.c
_COUNT_REFUSAL = insert_or_increment(tables.refusal, "count")
_REFUSALS = select(_F.kind, _F.error, _F.count).order_by(_F.kind, _F.error)


class Refusals(QueryRunner):
    """Counted refusals."""

    def count_refusal(self, kind: str, error: str) -> None:
        """Counts one more refusal of this kind of message for this error."""
        self.run(_COUNT_REFUSAL, kind=kind, error=error, count=1)

    def refusals(self) -> dict[str, int]:
        """How many messages were refused, by `<kind>: <error>`."""
        return {f"{kind}: {error}": count for kind, error, count in self.run(_REFUSALS)}
