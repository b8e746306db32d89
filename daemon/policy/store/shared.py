"""What all services on one store know, and what outlives the service that wrote it: named values, pending clips."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import bindparam, delete, select

from daemon.policy.store import tables
from daemon.policy.store.sql import QueryRunner, insert_if_absent, upsert

_M, _P = tables.meta.c, tables.pending.c
_GET = select(_M.value).where(_M.key == bindparam("of"))
_SET = upsert(tables.meta)
_UNSET = delete(tables.meta).where(_M.key == bindparam("of"))
_ADD_PENDING = insert_if_absent(tables.pending)
_PENDING = select(_P.clip_id).where(_P.at <= bindparam("now")).order_by(_P.at, _P.clip_id).limit(bindparam("most"))
_REMOVE_PENDING = delete(tables.pending).where(_P.clip_id == bindparam("of"), _P.at <= bindparam("now"))


class SharedState(QueryRunner):
    """Named values, and clips that wait to be reconsidered."""

    def get(self, key: str) -> str | None:
        """The value with this name, or None."""
        row = self.one(_GET, of=key)
        return row[0] if row else None

    def set(self, key: str, value: str) -> None:
        """Stores a value under a name, in the place of an earlier one."""
        self.run(_SET, key=key, value=value)

    def unset(self, key: str) -> None:
        """Removes the value with this name, if there is one."""
        self.run(_UNSET, of=key)

    def add_pending(self, clip_ids: Iterable[str], at: str) -> None:
        """Notes clips to be reconsidered at `at` or later, by this service or by one that comes after it."""
        for clip_id in sorted(clip_ids):
            self.run(_ADD_PENDING, clip_id=clip_id, at=at)

    def take_pending(self, now: str, most: int) -> list[str]:
        """Removes and returns clips to be reconsidered by `now`: at most `most`, those that wait longest first."""
        found = list(dict.fromkeys(row[0] for row in self.run(_PENDING, now=now, most=most)))
        for clip_id in found:
            self.run(_REMOVE_PENDING, of=clip_id, now=now)
        return found
