"""A clip's history as a timeline: what the camera, dispatch, the dock and people did, in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from daemon.board.clips import ShownClip
from daemon.core.words import TRIGGERS, custody_sentence, need_words
from daemon.custody.record import LIMIT, ClipCustody, read_entry
from daemon.model.errors import BwcError
from daemon.model.parse import parse_model
from daemon.model.times import parse_instant
from daemon.vault.reading import find_clip, read_document


@dataclass(frozen=True)
class HistoryLine:
    """One line of the timeline. `who`: camera, dispatch, dock, custody or policy. `entry`: its number in custody."""

    at: datetime
    who: str
    what: str
    entry: int | None = None


@dataclass(frozen=True)
class ClipHistory:
    """A clip's timeline. `gap` says what is missing in it and where to find that; None when nothing is missing."""

    lines: list[HistoryLine]
    gap: str | None


def history(clip: ShownClip, vault: Path | None) -> ClipHistory:
    """The timeline of a clip, from its notice and standing. `vault` adds the clip's own custody log.

    `vault` may be a read-only share of the dock's vault. A log that cannot be read there is named in `gap`.
    """
    lines = [*_recording(clip), *_dispatch(clip), *_due(clip)]
    gap = "who opened it, and when, stands in the custody log (set vault in board.toml)"
    if vault is not None:
        try:
            entries = list(_custody(vault, str(clip.notice["clip_id"])))
        except BwcError as error:
            gap = f"its custody log: {error}"
        else:
            return ClipHistory(_in_order([*lines, *entries]), None)
    return ClipHistory(_in_order([*lines, *_dock(clip)]), gap)


def _in_order(lines: list[HistoryLine]) -> list[HistoryLine]:
    return sorted(lines, key=lambda line: line.at)


def _recording(clip: ShownClip) -> Iterator[HistoryLine]:
    capture: dict[str, Any] | None = clip.notice.get("capture")
    if capture is None:
        return
    serial = capture["camera_serial"]
    if capture["pre_event_seconds"]:
        yield HistoryLine(parse_instant(capture["started_at"]), "camera", "the pre-event buffer begins")
    started = f"recording started by {TRIGGERS[capture['trigger_on']]}, camera {serial} of {capture['officer_id']}"
    yield HistoryLine(parse_instant(capture["triggered_at"]), "camera", started)
    for marker in capture.get("markers", ()):
        yield HistoryLine(parse_instant(marker["at"]), "camera", f"marked: {marker['label']}")
    stopped = f"recording stopped by {TRIGGERS[capture['trigger_off']]}"
    yield HistoryLine(parse_instant(capture["stopped_at"]), "camera", stopped)


def _dispatch(clip: ShownClip) -> Iterator[HistoryLine]:
    for assignment in (clip.notice.get("activation") or {}).get("assignments", ()):
        unit = f"unit {assignment['unit_id']}"
        call = f"{assignment['incident_id']} ({assignment['incident_type']})"
        yield HistoryLine(parse_instant(assignment["dispatched_at"]), "dispatch", f"{unit} dispatched to {call}")
        if assignment.get("cleared_at"):
            yield HistoryLine(parse_instant(assignment["cleared_at"]), "dispatch", f"{unit} cleared")


def _due(clip: ShownClip) -> Iterator[HistoryLine]:
    for need in clip.standing.needs if clip.standing else ():
        if need.by is not None:
            yield HistoryLine(need.by, "policy", f"due: {need_words(need)}")


def _dock(clip: ShownClip) -> Iterator[HistoryLine]:
    """What the dock did, as far as the notice alone says it."""
    if "ingested_at" in clip.notice:
        yield HistoryLine(parse_instant(clip.notice["ingested_at"]), "dock", custody_sentence("ingested", {}))
    for release in clip.notice["lock"].get("releases", ()):
        whom = f"to {release['person_id']} for {release['purpose']}"
        words = {"live": "is live until then", "expired": "ended", "revoked": "was revoked before its end"}
        yield HistoryLine(parse_instant(release["expires_at"]), "dock", f"the release {whom} {words[release['state']]}")


def _custody(vault: Path, clip_id: str) -> Iterator[HistoryLine]:
    path = find_clip(vault, clip_id).custody
    for proven in parse_model(ClipCustody, read_document(path), what=path.name, limit=LIMIT).entries:
        entry = read_entry(proven.line.encode(), what=f"{path.name}: entry {proven.sequence}")
        yield HistoryLine(entry.at, "custody", custody_sentence(entry.action, entry.detail), entry.sequence)
