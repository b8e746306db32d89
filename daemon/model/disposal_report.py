"""The disposal report: what is due, what demands each date, and what nobody has classified. One spelling, one digest.

Chief and records authorize a disposal over the digest, which is SHA-256 of the report as `to_bytes` spells it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from daemon.model import strict_json
from daemon.model.times import Instant
from daemon.model.types import ClipId, Count, Digest, DispatchId, Document, Id, Text

MOST_REPORTED = 10_000
"""How many clips one section of a report holds, the oldest; the rest stands in later reports."""


class KeptBy(Document):
    """The word that demands the longest time. `days` from the recording; without it, until that word is taken back.

    `by`: who signed a label, or who asks to view.
    """

    kind: Literal["default", "trigger", "force", "death", "label", "unclassified", "hold", "request"]
    days: Annotated[float, Field(gt=0)] | None = None
    by: Id | None = None
    trigger: Text | None = None
    force: Text | None = None
    incident_id: DispatchId | None = None
    category: Id | None = None
    case_number: Text | None = None
    hold_id: Id | None = None


class ReportedClip(Document):
    """One clip at one dock. `keep_until` is absent while there is no end to it."""

    dock_id: Id
    clip_id: ClipId
    clip_sha256: Digest
    recorded_at: Instant
    keep_until: Instant | None = None
    kept_by: KeptBy


class Withheld(Document):
    """A clip of an authorized report that was not ordered disposed, and why."""

    dock_id: Id
    clip_id: ClipId
    reason: Text


class ReportOutcome(Document):
    """What became of an authorized report. `done`: how many of its clips were looked at; `left`: whether more are."""

    left: bool = True
    done: Count = 0
    ordered: Count = 0
    withheld: tuple[Withheld, ...] = ()


class DisposalReport(Document):
    """What may be disposed of once chief and records authorize it (`due`, `overdue`), and what is not (the rest).

    `overdue`: past `[retention] most_days` without a court case or a hold, classified or not. `unclassified`: what
    nobody has classified, listed once a month. `kept`: its time is over, and a hold or an open request keeps it.
    `left_out`: how many more there are than the sections hold.
    """

    schema_: Annotated[Literal["bwc.disposal-report/1"], Field(alias="schema")] = "bwc.disposal-report/1"
    agency: Id
    made_at: Instant
    due: tuple[ReportedClip, ...] = ()
    overdue: tuple[ReportedClip, ...] = ()
    unclassified: tuple[ReportedClip, ...] = ()
    kept: tuple[ReportedClip, ...] = ()
    left_out: Count = 0

    def to_bytes(self) -> bytes:
        """The report's one spelling."""
        return strict_json.dump(self.plain())
