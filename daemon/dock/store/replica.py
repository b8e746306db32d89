"""What the dock's database knows of the replica: what is still to be copied, what is held there, what lies only there.

A clip is noted here whenever custody records something about it, so that what is copied follows custody, over restarts
and over days on which the object store does not answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from daemon.database.sqlite import Database
from daemon.dock.store.meta import MetaKey
from daemon.dock.store.rows import HeldClip, clip_rows
from daemon.model.errors import ConfigurationError
from daemon.model.times import parse_instant


@dataclass(frozen=True)
class CopyJob:
    """A clip of which something is not in the replica yet.

    `turn`: its place among them, kept until it is copied; `change`: the number of its last change when this was asked.
    `since`: when the first of it was noted. `held`: whether its sealed file was stored and read back.
    """

    turn: int
    change: int
    since: datetime
    clip: HeldClip
    held: bool


class ReplicaStore:
    """The replica's tables (in daemon.dock.store.store's schema). Used on the service's thread."""

    def __init__(self, store: Database) -> None:
        self._store = store
        self._db = store.db

    def begin(self, url: str | None) -> None:
        """The replica is at `url` from now on, or there is none. Whatever it may lack is to be copied.

        Raises ConfigurationError when some clips lie in another one alone.
        """
        known, away = self._store.get(MetaKey.REPLICA_URL), self._store.get(MetaKey.REPLICA_AWAY) is not None
        if url is None:
            if known is not None:
                self._store.set(MetaKey.REPLICA_AWAY, "1")
            return
        if url == known and not away:
            return
        if known not in {None, url}:
            if self._db.execute("SELECT 1 FROM replica WHERE evicted = 1 LIMIT 1").fetchone():
                raise ConfigurationError(
                    f"replica {url}: some clips lie only at {known}",
                    hint="keep that url: what was evicted from the vault is nowhere else",
                )
            self._db.execute("DELETE FROM replica")
        self._store.unset(MetaKey.REPLICA_AWAY)
        self._store.set(MetaKey.REPLICA_URL, url)
        self._store.set(MetaKey.REPLICA_LOG, "0")
        base = self._next_change()
        self._db.execute(
            "INSERT OR REPLACE INTO to_replicate"
            " SELECT clip_id, ?1 + row_number() OVER (ORDER BY ingested_at), ?1, ingested_at"
            " FROM clip WHERE state <> 'disposed' OR clip_id IN (SELECT clip_id FROM replica)",
            (base,),
        )
        count = self._db.execute("SELECT max(turn) FROM to_replicate").fetchone()[0]
        self._store.set(MetaKey.REPLICA_CHANGE, str(max(base, count or 0)))

    def want(self, clip_id: str, now: str) -> None:
        """Something about the clip is to be copied."""
        self._db.execute(
            "INSERT INTO to_replicate VALUES (?1, ?2, ?2, ?3)"
            " ON CONFLICT (clip_id) DO UPDATE SET change = excluded.change",
            (clip_id, self._next_change(), now),
        )

    def next_job(self, after: int) -> CopyJob | None:
        """The clip whose turn it is after that one."""
        return self._job("turn > ? ORDER BY turn LIMIT 1", after)

    def job(self, clip_id: str) -> CopyJob | None:
        """What is to be copied of this clip; None when nothing is."""
        return self._job("clip_id = ?", clip_id)

    def _job(self, where: str, value: object) -> CopyJob | None:
        row = self._db.execute(
            f"SELECT clip_id, turn, change, since FROM to_replicate WHERE {where}",  # noqa: S608
            (value,),
        ).fetchone()
        if row is None:
            return None
        clips = clip_rows(self._db, "clip_id = ?", row[0])
        if not clips:
            raise AssertionError("only a clip that the dock has taken in is noted")
        return CopyJob(row[1], row[2], parse_instant(row[3]), clips[0], self.is_held(row[0]))

    def held(self, clip: HeldClip) -> None:
        """The clip's sealed file was stored and read back."""
        self._db.execute(
            "INSERT OR IGNORE INTO replica (clip_id, ingested_at) VALUES (?, ?)", (clip.clip_id, clip.ingested_at)
        )

    def done(self, job: CopyJob, now: str) -> None:
        """The clip is copied as it was when `job` was asked for. What came since gets a new turn and waits from now."""
        values = (job.clip.clip_id, job.change)
        self._db.execute("DELETE FROM to_replicate WHERE clip_id = ? AND change = ?", values)
        self._db.execute(
            "UPDATE to_replicate SET turn = ?, since = ? WHERE clip_id = ?", (self._next_change(), now, values[0])
        )

    def gone(self, clip_id: str) -> None:
        """The replica does not hold the clip, or holds it no longer."""
        self._db.execute("DELETE FROM replica WHERE clip_id = ?", (clip_id,))

    def is_held(self, clip_id: str) -> bool:
        """Whether the replica holds the clip's sealed file."""
        return self._db.execute("SELECT 1 FROM replica WHERE clip_id = ?", (clip_id,)).fetchone() is not None

    def is_evicted(self, clip_id: str) -> bool:
        """Whether the clip's sealed file lies in the replica alone."""
        row = self._db.execute("SELECT evicted FROM replica WHERE clip_id = ?", (clip_id,)).fetchone()
        return row is not None and bool(row[0])

    def backlog(self) -> tuple[int, str | None]:
        """How many clips have something that is not copied yet, and since when the first of them waits."""
        count, since = self._db.execute("SELECT count(*), min(since) FROM to_replicate").fetchone()
        return int(count), since

    # eviction

    def spooled(self) -> int:
        """Bytes of sealed files in the vault: kept along with every change, never counted anew."""
        return int(self._db.execute("SELECT bytes FROM spool").fetchone()[0])

    def evictable(self, after: tuple[str, str], *, unreceipted: bool) -> HeldClip | None:
        """The oldest clip after that (ingested_at, clip_id) which the replica holds and the vault too.

        One whose camera may not erase it yet is left out, unless `unreceipted`.
        """
        row = self._db.execute(
            "SELECT replica.clip_id FROM replica JOIN clip USING (clip_id) WHERE replica.evicted = 0"
            " AND (replica.ingested_at, replica.clip_id) > (?, ?) AND clip.state <> 'disposed'"
            " AND (clip.receipted = 1 OR ?) ORDER BY replica.ingested_at, replica.clip_id LIMIT 1",
            (*after, unreceipted),
        ).fetchone()
        return next(iter(clip_rows(self._db, "clip_id = ?", row[0])), None) if row else None

    def evict(self, clip_id: str) -> None:
        """The vault's sealed file is to go; `evicted` follows once it has."""
        self._db.execute("UPDATE replica SET evicted = 1 WHERE clip_id = ?", (clip_id,))
        self._db.execute("INSERT OR IGNORE INTO evicting VALUES (?)", (clip_id,))

    def evicting(self) -> list[str]:
        """Clips that are recorded as evicted and whose sealed files may still be there."""
        return [row[0] for row in self._db.execute("SELECT clip_id FROM evicting")]

    def evicted(self, clip_id: str) -> None:
        """The sealed file has gone from the vault."""
        self._db.execute("DELETE FROM evicting WHERE clip_id = ?", (clip_id,))

    def _next_change(self) -> int:
        change = int(self._store.get(MetaKey.REPLICA_CHANGE) or 0) + 1
        self._store.set(MetaKey.REPLICA_CHANGE, str(change))
        return change
