"""The picture in words that people read: what the templates show. Decides nothing, and reads nothing itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from daemon.board.clips import OwedStatement, ShownClip, ShownVerdict
from daemon.board.picture import BrokerLink, KnownBay, KnownDock
from daemon.core.words import need_words
from daemon.model.documents import BayState

GIB = 1 << 30
"""Bytes in a GiB."""
LOW_DISK = 10 * GIB
"""Free bytes in a vault below which the page warns."""
_BAYS: dict[BayState, tuple[str, str]] = {
    "empty": ("Empty", "dock a camera"),
    "reading": ("Reading", "leave it docked"),
    "waiting": ("Waiting", "leave it docked"),
    "done": ("Safe to undock", "every clip is held"),
    "refused": ("Not read", "the camera keeps its clips"),
    "failed": ("Failed", "the camera keeps its clips"),
}
_ICONS: dict[BayState, str] = {
    "empty": "○",
    "reading": "▶",
    "waiting": "◷",
    "done": "✓",
    "refused": "✕",
    "failed": "!",
}
_VERDICTS = {
    "on_time": "on time",
    "late": "late",
    "partial": "stopped early",
    "absent": "no footage",
    "pending": "not docked yet",
    "excused": "cancelled in time",
    "unknown_crew": "of unknown crew",
}
_UNDECIDED = ("pending", "excused", "unknown_crew")


@dataclass(frozen=True)
class BayCard:
    """One bay. `icon` and `advice` go with its state. `percent`: how much of it is read, None for nothing to read."""

    dock_id: str
    name: str
    state: BayState
    title: str
    advice: str
    icon: str
    officer: str | None
    camera: str | None
    clips: str
    percent: int | None
    time_left: str

    @property
    def spoken_text(self) -> str:
        """What a screen reader says when the card changes."""
        return f"{self.name}: {self.title}"


def bay_card(known: KnownBay) -> BayCard:
    """The card of one bay."""
    bay = known.bay
    title, advice = _BAYS[bay.state]
    reading = bay.state in {"reading", "waiting"} and bay.bytes_total > 0
    return BayCard(
        known.dock_id,
        bay.bay,
        bay.state,
        title,
        bay.reason or advice,
        _ICONS[bay.state],
        bay.officer_id,
        bay.camera_serial,
        f"{bay.clips_done} of {bay.clips_total} clips" if bay.clips_total else "",
        min(100, 100 * bay.bytes_done // bay.bytes_total) if reading else None,
        known.time_left,
    )


@dataclass(frozen=True)
class DockHealth:
    """One dock in figures. `checkpoint`: its custody log's size and root. `worries`: what needs attention, in words."""

    dock: KnownDock
    checkpoint: tuple[int, str] | None
    worries: tuple[str, ...]

    @property
    def free(self) -> str:
        """The free space in its vault, in GiB."""
        return f"{self.dock.status.vault_free_bytes / GIB:,.0f} GiB"


def dock_health(dock: KnownDock, note: str | None) -> DockHealth:
    """The health of one dock. `note`: its newest checkpoint, a signed note, or None."""
    status = dock.status
    worries = []
    if status.state == "offline":
        worries.append("offline: cameras keep their footage, and nothing is taken in until it is back")
    elif status.vault_free_bytes < LOW_DISK:
        worries.append("little disk left: intake stops when it is full, and cameras keep their footage")
    if status.scrub_findings:
        worries.append(f"{status.scrub_findings} findings when the vault was last checked: run bwc dock check")
    if status.backlog:
        worries.append(f"{status.backlog} clips not yet acknowledged by the policy service")
    return DockHealth(dock, _checkpoint(note), tuple(worries))


def _checkpoint(note: str | None) -> tuple[int, str] | None:
    """The size and root in a signed note, or None when it is no such note. A witness verifies it, not the board."""
    lines = note.splitlines() if note else []
    return (int(lines[1]), lines[2]) if len(lines) > 2 and lines[1].isascii() and lines[1].isdigit() else None


@dataclass(frozen=True)
class OwedLine:
    """A statement or report that is missing. `what` says in words which one."""

    owed: OwedStatement
    what: str
    overdue: bool


def owed_lines(owed: Sequence[OwedStatement], now: datetime) -> list[OwedLine]:
    """A line for each missing statement. Those that were due before `now` are overdue."""
    return [OwedLine(one, need_words(one.need), one.due < now) for one in owed]


@dataclass(frozen=True)
class ShiftSummary:
    """Whether cameras were on in this shift.

    `since`: from when docks count, or None. `counts`: verdict, its words, and how many assignments had it, as docks
    count. `rate`: how many per cent of those with a final verdict were on time, or None when there is none.
    `look_at`: the assignments that were late or partial, as clips show.
    """

    since: datetime | None
    counts: list[tuple[str, str, int]]
    rate: int | None
    look_at: list[ShownVerdict]


def shift_since(docks: Sequence[KnownDock]) -> datetime | None:
    """From when docks count assignments, or None while no dock has counted."""
    return min((dock.status.activation.since for dock in docks if dock.status.activation), default=None)


def shift_summary(docks: Sequence[KnownDock], verdicts: Sequence[ShownVerdict]) -> ShiftSummary:
    """The shift in numbers. They come from the docks, because no clip shows an assignment that has no footage."""
    counts: Counter[str] = Counter()
    for dock in docks:
        for verdict in _VERDICTS:
            counts[verdict] += getattr(dock.status.activation, verdict, 0)
    decided = sum(counts.values()) - sum(counts[one] for one in _UNDECIDED)
    return ShiftSummary(
        shift_since(docks),
        [(verdict, words, counts[verdict]) for verdict, words in _VERDICTS.items()],
        round(100 * counts["on_time"] / decided) if decided else None,
        [one for one in verdicts if one.verdict in {"late", "partial"}],
    )


def verdict_words(verdict: str) -> str:
    """An assignment's verdict in words."""
    return _VERDICTS.get(verdict, verdict)


@dataclass(frozen=True)
class ClipLine:
    """A clip in a list. `why`: its dock's reason for the lock. `needs`: what would open it, in words."""

    clip: ShownClip
    why: str
    force: str
    needs: tuple[str, ...]
    overdue: bool


def clip_line(clip: ShownClip) -> ClipLine:
    """The line of one clip."""
    standing = clip.standing
    needs = tuple(need_words(need) for need in standing.needs) if standing else ()
    force = standing.force if standing else "not heard from the policy service"
    return ClipLine(clip, str(clip.notice["lock"]["reason"]), force, needs, bool(standing and standing.overdue))


def link_words(link: BrokerLink) -> str | None:
    """What is wrong with the board's connection to the broker, as a sentence, or None."""
    if link.lost:
        return f"The broker is away ({link.lost}). What is shown was heard before, and may have changed."
    return "Catching up with the broker: some of this is not shown yet." if link.catching_up else None
