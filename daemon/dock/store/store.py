"""The dock's database: SQLite, WAL, `synchronous=FULL`. One thread owns it; a transaction is durable when it returns.

An error here leaves the outcome of a commit unknown, so it is NotDurableError: the daemon stops and starts again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from datetime import datetime
from pathlib import Path

from daemon.core.lifecycle import State
from daemon.core.windows import LARGEST_SKEW, LONGEST_RECORDING
from daemon.database.sqlite import Database
from daemon.dock.store.meta import MetaKey
from daemon.dock.store.rows import ADD_CLIP, CLIP_FIELDS, HeldClip, HonouredOrder, clip_rows, clip_values, marks
from daemon.dock.store.tables import REPLICA_TABLES, STEPS, TABLES, VERSION
from daemon.model.times import format_instant, parse_instant


class DockStore(Database):
    """The tables. Only the service's own thread uses it."""

    def __init__(self, path: Path) -> None:
        """Opens or creates the database; an older one is migrated. Raises ConfigurationError."""
        super().__init__(path, TABLES + REPLICA_TABLES, VERSION, STEPS)

    # single values

    @property
    def acknowledged_through(self) -> int:
        """Up to which notice sequence the policy service has acknowledged."""
        return int(self.get(MetaKey.THROUGH) or 0)

    @property
    def proven_recipients(self) -> frozenset[str]:
        """Keyids of escrow keys that the policy service has shown it can open."""
        return frozenset((self.get(MetaKey.RECIPIENTS) or "").split())

    @property
    def dispatch_as_of(self) -> datetime | None:
        """Time of the newest dispatch document known."""
        stored = self.get(MetaKey.DISPATCH_AS_OF)
        return parse_instant(stored) if stored else None

    # clips

    def clip(self, clip_id: str) -> HeldClip | None:
        """One clip; None when the dock does not hold it."""
        return self._clip("clip_id = ?", clip_id)

    def clips_by_id(self, clip_ids: Collection[str]) -> dict[str, HeldClip]:
        """Those of these that the dock holds."""
        return {clip.clip_id: clip for clip in self._clips(f"clip_id IN ({marks(clip_ids)})", *clip_ids)}

    def is_known(self, clip_id: str) -> bool:
        """Whether a clip has this id, or is to get it."""
        sql = "SELECT 1 FROM clip WHERE clip_id = ? UNION ALL SELECT 1 FROM staging WHERE clip_id = ?"
        return self.db.execute(sql, (clip_id, clip_id)).fetchone() is not None

    def clip_of_file(self, camera_serial: str, stem: str, footage: str, clip_sha256: str | None) -> HeldClip | None:
        """The clip that was taken in from just this file of this camera; or the one it brought under this name with
        these bytes, where they are known.
        """
        where = "camera_serial = ? AND stem = ? AND (footage = ? OR clip_sha256 = ?) ORDER BY footage <> ?"
        return self._clip(where, camera_serial, stem, footage, clip_sha256, footage)

    def clip_of_bytes(self, camera_serial: str, stem: str, clip_sha256: str) -> HeldClip | None:
        """The clip this camera brought under this name with these bytes."""
        return self._clip("camera_serial = ? AND stem = ? AND clip_sha256 = ?", camera_serial, stem, clip_sha256)

    def clips(self, state: State | None = None) -> list[HeldClip]:
        """Every clip, or those in one state."""
        return self._clips("state = ?", state) if state else self._clips("true")

    def add_clips(self, clips: Collection[HeldClip]) -> None:
        """Clips that are taken in, and their officers."""
        officers = {(clip.officer_id,) for clip in clips}
        self.db.executemany("INSERT OR IGNORE INTO officer VALUES (?)", officers)
        self.db.executemany(ADD_CLIP, map(clip_values, clips))

    def move(self, clip_id: str, state: State, sequence: int) -> None:
        """The clip's new state, announced by the notice with this sequence."""
        self.db.execute("UPDATE clip SET state = ?, sequence = ? WHERE clip_id = ?", (state, sequence, clip_id))

    def retag(self, clip_id: str, revision: int, activation: str, due: str | None, sequence: int) -> None:
        """The clip's tag has a new revision, announced by the notice with this sequence."""
        self.db.execute(
            "UPDATE clip SET tag_revision = ?, activation = ?, dispatch_due = ?, sequence = ? WHERE clip_id = ?",
            (revision, activation, due, sequence, clip_id),
        )

    def clips_of_officer(self, officer_id: str, start: datetime, end: datetime) -> list[HeldClip]:
        """The officer's clips that may overlap [start, end), give or take a camera's skew."""
        return self._clips(
            "officer_id = ? AND started_at < ? AND started_at > ? AND stopped_at > ?",
            officer_id,
            format_instant(end + LARGEST_SKEW),
            format_instant(start - LONGEST_RECORDING),
            format_instant(start - LARGEST_SKEW),
        )

    def officers_recording(self, start: datetime, end: datetime) -> set[str]:
        """Officers with clips that may overlap [start, end), give or take a camera's skew."""
        rows = self.db.execute(
            "SELECT DISTINCT officer_id FROM clip WHERE started_at < ? AND started_at > ? AND stopped_at > ?",
            (
                format_instant(end + LARGEST_SKEW),
                format_instant(start - LONGEST_RECORDING),
                format_instant(start - LARGEST_SKEW),
            ),
        )
        return {row[0] for row in rows}

    def newest_stop(self, officer_id: str) -> str | None:
        """When the officer's newest clip ended."""
        row = self.db.execute(
            "SELECT stopped_at FROM clip WHERE officer_id = ? AND started_at IS NOT NULL"
            " ORDER BY started_at DESC LIMIT 1",
            (officer_id,),
        ).fetchone()
        return None if row is None else str(row[0])

    def officers(self) -> set[str]:
        """Officers whose cameras have docked here."""
        return {row[0] for row in self.db.execute("SELECT officer_id FROM officer")}

    def knows_officer(self, officer_id: str) -> bool:
        """Whether a camera of this officer's has docked here before."""
        return self.db.execute("SELECT 1 FROM officer WHERE officer_id = ?", (officer_id,)).fetchone() is not None

    def waiting_for_dispatch(self, as_of: str) -> list[HeldClip]:
        """Clips that dispatch has now spoken past the end of."""
        return self._clips("dispatch_due <= ?", as_of)

    def set_officer(self, clip_id: str, officer_id: str) -> None:
        """Another officer wore the camera."""
        self.db.execute("INSERT OR IGNORE INTO officer VALUES (?)", (officer_id,))
        self.db.execute("UPDATE clip SET officer_id = ? WHERE clip_id = ?", (officer_id, clip_id))

    def to_destroy(self, clip_id: str) -> None:
        """The clip's files are to be destroyed."""
        self.db.execute("INSERT OR IGNORE INTO destroying VALUES (?)", (clip_id,))

    def destroying(self) -> list[str]:
        """Clips disposed of whose files may still be there."""
        return [row[0] for row in self.db.execute("SELECT clip_id FROM destroying")]

    def destroyed(self, clip_id: str) -> None:
        """The clip's files are destroyed."""
        self.db.execute("DELETE FROM destroying WHERE clip_id = ?", (clip_id,))

    def disposed_through(self, through: int) -> list[HeldClip]:
        """Disposed clips whose last notice is acknowledged but still retained."""
        return self._clips("state = 'disposed' AND cleared = 0 AND sequence <= ? LIMIT 100", through)

    def mark_cleared(self, clip_id: str) -> None:
        """The broker no longer retains the disposed clip's notice."""
        self.db.execute("UPDATE clip SET cleared = 1 WHERE clip_id = ?", (clip_id,))

    def mark_receipted(self, clip_ids: Collection[str]) -> None:
        """Receipts for these clips are durable on their cameras."""
        self.db.execute(f"UPDATE clip SET receipted = 1 WHERE clip_id IN ({marks(clip_ids)})", tuple(clip_ids))  # noqa: S608

    def mark_erased(self, clip_id: str) -> None:
        """The clip is gone from its camera."""
        self.db.execute("UPDATE clip SET erased = 1 WHERE clip_id = ?", (clip_id,))
        self.db.execute("DELETE FROM erasing WHERE clip_id = ?", (clip_id,))

    def set_out_to_erase(self, clip_id: str) -> None:
        """The dock is about to delete the clip from its camera: should it stop now, it is known who did."""
        self.db.execute("INSERT OR IGNORE INTO erasing VALUES (?)", (clip_id,))

    def set_out(self, clip_id: str) -> bool:
        """Whether the dock had set out to delete the clip from its camera."""
        return self.db.execute("SELECT 1 FROM erasing WHERE clip_id = ?", (clip_id,)).fetchone() is not None

    def leave_unerased(self, clip_id: str) -> None:
        """It was not deleted after all."""
        self.db.execute("DELETE FROM erasing WHERE clip_id = ?", (clip_id,))

    def to_be_erased(self, camera_serial: str) -> list[HeldClip]:
        """Clips that the camera may erase and, as far as is known, has not."""
        return self._clips("camera_serial = ? AND receipted = 1 AND erased = 0", camera_serial)

    def count(self, state: State) -> int:
        """How many clips are in this state: kept along with every change, never counted anew."""
        row = self.db.execute("SELECT clips FROM tally WHERE state = ?", (state,)).fetchone()
        return int(row[0]) if row else 0

    def _clip(self, where: str, *values: object) -> HeldClip | None:
        return next(iter(self._clips(f"{where} LIMIT 1", *values)), None)

    def _clips(self, where: str, *values: object) -> list[HeldClip]:
        return clip_rows(self.db, where, *values)

    # notices: each clip has one current notice, known by its sequence

    def next_sequence(self) -> int:
        """The next notice's sequence, from 1, never used twice even when a clip is retagged or disposed of."""
        return self.next_sequences(1)[0]

    def next_sequences(self, count: int) -> range:
        """As `next_sequence`, for so many notices."""
        row = self.db.execute(
            "INSERT INTO meta VALUES ('sequence', ?1)"
            " ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + ?1 RETURNING value",
            (count,),
        ).fetchone()
        last = int(row[0])
        return range(last - count + 1, last + 1)

    def notices_after(self, sequence: int, limit: int) -> list[HeldClip]:
        """Clips whose current notice has a higher sequence, lowest first."""
        rows = self.db.execute(
            f"SELECT {CLIP_FIELDS} FROM clip WHERE sequence > ? ORDER BY sequence LIMIT ?",  # noqa: S608
            (sequence, limit),
        )
        return [HeldClip.of(row) for row in rows]

    def previous_sequence(self, sequence: int) -> int:
        """The next lower sequence that is still some clip's current notice; 0 when there is none."""
        row = self.db.execute("SELECT max(sequence) FROM clip WHERE sequence < ?", (sequence,)).fetchone()
        return int(row[0] or 0)

    def backlog(self, through: int) -> int:
        """How many current notices the policy service has not acknowledged."""
        return int(self.db.execute("SELECT count(*) FROM clip WHERE sequence > ?", (through,)).fetchone()[0])

    # orders

    def orders(self, clip_id: str) -> list[HonouredOrder]:
        """A clip's release orders, by their ids."""
        rows = self.db.execute("SELECT * FROM release_order WHERE clip_id = ? ORDER BY order_id", (clip_id,))
        return [HonouredOrder(*row) for row in rows]

    def order(self, order_id: str) -> HonouredOrder | None:
        """One release order; None when it is not known."""
        row = self.db.execute("SELECT * FROM release_order WHERE order_id = ?", (order_id,)).fetchone()
        return HonouredOrder(*row) if row else None

    def live_orders(self) -> list[HonouredOrder]:
        """Every release order that is live."""
        return [HonouredOrder(*row) for row in self.db.execute("SELECT * FROM release_order WHERE state = 'live'")]

    def run_out(self, now: str, boot: float) -> list[HonouredOrder]:
        """Live orders whose end has come on either clock."""
        rows = self.db.execute(
            "SELECT * FROM release_order WHERE state = 'live' AND expires_at <= ?"
            " UNION SELECT * FROM release_order WHERE state = 'live' AND deadline <= ?",
            (now, boot),
        )
        return [HonouredOrder(*row) for row in rows]

    def keep_remaining(self, boot: float) -> None:
        """Notes how long live orders still have, for after a reboot."""
        self.db.execute("UPDATE release_order SET remaining = deadline - ? WHERE state = 'live'", (boot,))

    def put_order(self, order: HonouredOrder) -> None:
        """Keeps a release order as it is now."""
        values = [getattr(order, field.name) for field in fields(HonouredOrder)]
        marks = ", ".join("?" for _ in values)
        self.db.execute(f"INSERT OR REPLACE INTO release_order VALUES ({marks})", values)  # noqa: S608

    # clips being taken in: from before the first byte is read until the commit

    def stage(self, clip_id: str, job: str) -> None:
        """A clip is about to be taken in; `job` is what a restart needs to finish it."""
        self.db.execute("INSERT OR REPLACE INTO staging VALUES (?, ?)", (clip_id, job))

    def unstage(self, clip_ids: Collection[str]) -> None:
        """These clips are taken in, or given up."""
        self.db.execute(f"DELETE FROM staging WHERE clip_id IN ({marks(clip_ids)})", tuple(clip_ids))  # noqa: S608

    def staged(self) -> list[tuple[str, str]]:
        """(clip_id, job) of every clip under way."""
        return [(row[0], row[1]) for row in self.db.execute("SELECT clip_id, job FROM staging")]

    # replay, skew

    def seen(self, digest: str) -> bool:
        """Whether the envelope with this digest was dealt with already."""
        return self.db.execute("SELECT 1 FROM seen WHERE digest = ?", (digest,)).fetchone() is not None

    def remember(self, digest: str, at: str) -> None:
        """The envelope with this digest was dealt with."""
        self.db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (digest, at))

    def docking_skew(self, camera_serial: str, docked_at: str, skew: float) -> float:
        """The skew measured when this docking was first seen: `skew` now, the same value ever after."""
        key = (camera_serial, docked_at)
        self.db.execute("INSERT OR IGNORE INTO docking VALUES (?, ?, ?)", (*key, skew))
        row = self.db.execute("SELECT skew FROM docking WHERE camera_serial = ? AND docked_at = ?", key).fetchone()
        return float(row[0])
