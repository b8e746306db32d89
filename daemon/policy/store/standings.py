"""What was published about each clip for the status page, and the numbers that the metrics show."""

from __future__ import annotations

from sqlalchemy import bindparam, exists, false, func, select, true, update

from daemon.policy.store import tables
from daemon.policy.store.sql import QueryRunner, upsert

_S = tables.standing.c
_STANDING = select(_S.fingerprint).where(_S.dock_id == bindparam("dock"), _S.clip_id == bindparam("clip"))
_PUT_STANDING = upsert(tables.standing)
_OVERDUE = select(_S.clip_id).where(_S.overdue == false(), _S.due.is_not(None), _S.due < bindparam("now"))
_MARK_STANDINGS = update(tables.standing).values(fingerprint="")
_WITH_STANDING = select(_S.clip_id).distinct()

_DISPOSED = exists().where(
    tables.clip.c.dock_id == _S.dock_id, tables.clip.c.clip_id == _S.clip_id, tables.clip.c.disposed == true()
)
_COUNTS = {
    "open_requests": select(func.count()).select_from(tables.request).where(tables.request.c.state == "open"),
    "live_orders": select(func.count()).select_from(tables.release_order).where(tables.release_order.c.state == "live"),
    "overdue_clips": select(func.count()).select_from(tables.standing).where(_S.overdue == true(), ~_DISPOSED),
    "outbox_messages": select(func.count()).select_from(tables.outbox),
}


class Standings(QueryRunner):
    """The standing of each clip: its force and what its officers still owe, as it was last published."""

    def standing_fingerprint(self, dock_id: str, clip_id: str) -> str | None:
        """The SHA-256 of the standing that was last published, empty when it has to be published again, or None."""
        row = self.one(_STANDING, dock=dock_id, clip=clip_id)
        return row[0] if row else None

    def put_standing(self, dock_id: str, clip_id: str, fingerprint: str, due: str | None, overdue: bool) -> None:
        """Notes the standing that is published now. `due` is when the earliest missing statement is due."""
        self.run(_PUT_STANDING, dock_id=dock_id, clip_id=clip_id, fingerprint=fingerprint, due=due, overdue=overdue)

    def newly_overdue(self, now: str) -> list[str]:
        """Clips whose `due` has passed, though their published standing does not say overdue yet."""
        return [row[0] for row in self.run(_OVERDUE, now=now)]

    def republish_standings(self) -> set[str]:
        """Marks every standing to be published again. Returns the clips they are about."""
        self.run(_MARK_STANDINGS)
        return {row[0] for row in self.run(_WITH_STANDING)}

    def counts(self) -> dict[str, int]:
        """How many open requests, live orders, clips with an overdue statement and unpublished messages there are."""
        return {name: int(self.one(query)[0]) for name, query in _COUNTS.items()}
