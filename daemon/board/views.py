"""The picture in a person's words: what the templates show. Decides nothing, and asks nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from daemon.board.clips import Judged, Known, Owed
from daemon.board.picture import BaySeen, DockSeen, Link
from daemon.core.words import need_words
from daemon.model.documents import BayState

GIB = 1 << 30
LOW_DISK = 10 * GIB
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
}


@dataclass(frozen=True)
class BayCard:
    """One bay. `percent` is None where there is nothing to read."""

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
    def said(self) -> str:
        """What a screen reader is told when it changes."""
        return f"{self.name}: {self.title}"


def bay_card(seen: BaySeen) -> BayCard:
    bay = seen.bay
    title, advice = _BAYS[bay.state]
    reading = bay.state in {"reading", "waiting"} and bay.bytes_total > 0
    return BayCard(
        seen.dock_id,
        bay.bay,
        bay.state,
        title,
        bay.reason or advice,
        _ICONS[bay.state],
        bay.officer_id,
        bay.camera_serial,
        f"{bay.clips_done} of {bay.clips_total} clips" if bay.clips_total else "",
        min(100, 100 * bay.bytes_done // bay.bytes_total) if reading else None,
        seen.time_left,
    )


@dataclass(frozen=True)
class Health:
    """One dock in a line of figures; `worries` says in words what somebody should look at."""

    dock: DockSeen
    checkpoint: tuple[int, str] | None
    worries: tuple[str, ...]

    @property
    def free(self) -> str:
        return f"{self.dock.status.vault_free_bytes / GIB:,.0f} GiB"


def health(dock: DockSeen, note: str | None) -> Health:
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
    return Health(dock, _checkpoint(note), tuple(worries))


def _checkpoint(note: str | None) -> tuple[int, str] | None:
    """A signed note's size and root, not verified here (a witness does that); None where it is none."""
    lines = note.splitlines() if note else []
    return (int(lines[1]), lines[2]) if len(lines) > 2 and lines[1].isascii() and lines[1].isdigit() else None


@dataclass(frozen=True)
class Due:
    """A statement or report that is owed."""

    owed: Owed
    what: str
    overdue: bool


def due(owed: Sequence[Owed], now: datetime) -> list[Due]:
    return [Due(one, need_words(one.need), one.due < now) for one in owed]


@dataclass(frozen=True)
class Shift:
    """The shift's activation: how many assignments went how, as docks count, and those that clips tell of.

    `rate`: per cent on time of those decided, None where none is.
    """

    since: datetime | None
    counts: list[tuple[str, str, int]]
    rate: int | None
    look_at: list[Judged]


def shift_since(docks: Sequence[DockSeen]) -> datetime | None:
    """From when docks count; None while none has."""
    return min((dock.status.activation.since for dock in docks if dock.status.activation), default=None)


def shift(docks: Sequence[DockSeen], judged: Sequence[Judged]) -> Shift:
    """Only docks can count assignments without any footage: no clip tells of them."""
    counts: Counter[str] = Counter()
    for dock in docks:
        for verdict in _VERDICTS:
            counts[verdict] += getattr(dock.status.activation, verdict, 0)
    decided = sum(counts.values()) - counts["pending"]
    return Shift(
        shift_since(docks),
        [(verdict, words, counts[verdict]) for verdict, words in _VERDICTS.items()],
        round(100 * counts["on_time"] / decided) if decided else None,
        [one for one in judged if one.verdict in {"late", "partial"}],
    )


def verdict_words(verdict: str) -> str:
    return _VERDICTS.get(verdict, verdict)


@dataclass(frozen=True)
class ClipLine:
    """A clip in a list. `needs`: what would open it, in words; `why`: the reason that its dock gives."""

    clip: Known
    why: str
    force: str
    needs: tuple[str, ...]
    overdue: bool


def clip_line(clip: Known) -> ClipLine:
    standing = clip.standing
    needs = tuple(need_words(need) for need in standing.needs) if standing else ()
    force = standing.force if standing else "not heard from the policy service"
    return ClipLine(clip, str(clip.notice["lock"]["reason"]), force, needs, bool(standing and standing.overdue))


def link_words(link: Link) -> str | None:
    """What is wrong with the board's own hearing, or None."""
    if link.lost:
        return f"The broker is away ({link.lost}). What is shown was heard before, and may have changed."
    return "Catching up with the broker: some of this is not shown yet." if link.catching_up else None
