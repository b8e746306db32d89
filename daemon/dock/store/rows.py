"""What the dock's tables hold, row by row."""

from __future__ import annotations

import operator
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any

from daemon.core.dispatch.recording import Recording
from daemon.core.lifecycle import State
from daemon.model.times import parse_instant


@dataclass(frozen=True)
class HeldClip:
    """One clip the dock holds. Times as written in documents; `footage` identifies the file on its camera.

    `activation` is the fingerprint of what its tag says; `dispatch_due` until when dispatch must still speak.
    """

    clip_id: str
    state: State
    integrity: str
    bay: str
    camera_serial: str
    officer_id: str
    stem: str
    footage: str
    capture_sha256: str | None
    clip_sha256: str
    sealed_sha256: str
    sealed_bytes: int
    skew: float
    started_at: str | None
    triggered_at: str | None
    stopped_at: str | None
    ingested_at: str
    tag_revision: int
    activation: str
    dispatch_due: str | None
    sequence: int
    receipted: bool = False
    erased: bool = False

    @classmethod
    def of(cls, row: Any) -> HeldClip:
        """From a row of the table, in the order of the fields."""
        values = list(row)
        values[1], values[-2], values[-1] = State(values[1]), bool(values[-2]), bool(values[-1])
        return cls(*values)


@dataclass(frozen=True)
class HonouredOrder:
    """A release order this dock honoured.

    `deadline` is its end in seconds on the clock of the boot `boot_id`, `remaining` what it had left when persisted.
    """

    order_id: str
    clip_id: str
    person_id: str
    purpose: str
    expires_at: str
    deadline: float
    boot_id: str
    remaining: float
    state: str


CLIP_NAMES = [field.name for field in fields(HeldClip)]
CLIP_FIELDS = ", ".join(CLIP_NAMES)
clip_values = operator.attrgetter(*CLIP_NAMES)


def marks(values: Collection[object]) -> str:
    """As many `?` as there are values, for a list of them in SQL."""
    return ", ".join("?" * len(values))


ADD_CLIP = f"INSERT INTO clip ({CLIP_FIELDS}) VALUES ({marks(CLIP_NAMES)})"  # noqa: S608


def clip_rows(db: sqlite3.Connection, where: str, *values: object) -> list[HeldClip]:
    """Clips by a condition over the table's columns (a constant of the caller's, never input)."""
    rows = db.execute(f"SELECT {CLIP_FIELDS} FROM clip WHERE {where}", values)  # noqa: S608
    return [HeldClip.of(row) for row in rows]


def recording_of(clip: HeldClip) -> Recording | None:
    """A stored clip's times; None for footage without a capture that holds."""
    if clip.started_at is None or clip.triggered_at is None or clip.stopped_at is None:
        return None
    times = (parse_instant(clip.started_at), parse_instant(clip.triggered_at), parse_instant(clip.stopped_at))
    return Recording(clip.clip_id, clip.officer_id, *times, clip.skew)
