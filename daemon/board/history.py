"""A clip's history as a timeline: what the camera, dispatch, the dock and people did, in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from daemon.board.clips import Known
from daemon.core.words import TRIGGERS, custody_sentence, need_words
from daemon.custody.record import LIMIT, ClipCustody, read_entry
from daemon.model.errors import BwcError
from daemon.model.parse import parse_model
from daemon.model.times import parse_instant
from daemon.vault.reading import find_clip, read_document


@dataclass(frozen=True)
class Moment:
    """One line of the timeline. `who` is camera, dispatch, dock, custody or policy; `entry` its number in custody."""

    at: datetime
    who: str
    what: str
    entry: int | None = None


@dataclass(frozen=True)
class History:
    """`gap` says what is missing and where to find it; None when nothing is."""

    moments: list[Moment]
    gap: str | None


def history(clip: Known, vault: Path | None) -> History:
    """Everything the board can know. With a vault (or a read-only share of one) that is the clip's own custody."""
    moments = [*_recording(clip), *_dispatch(clip), *_due(clip)]
    gap = "who opened it, and when, stands in the custody log (set vault in board.toml)"
    if vault is not None:
        try:
            entries = list(_custody(vault, str(clip.notice["clip_id"])))
        except BwcError as error:
            gap = f"its custody log: {error}"
        else:
            return History(_in_order([*moments, *entries]), None)
    return History(_in_order([*moments, *_dock(clip)]), gap)


def _in_order(moments: list[Moment]) -> list[Moment]:
    return sorted(moments, key=lambda moment: moment.at)


def _recording(clip: Known) -> Iterator[Moment]:
    capture: dict[str, Any] | None = clip.notice.get("capture")
    if capture is None:
        return
    serial = capture["camera_serial"]
    if capture["pre_event_seconds"]:
        yield Moment(parse_instant(capture["started_at"]), "camera", "the pre-event buffer begins")
    started = f"recording started by {TRIGGERS[capture['trigger_on']]}, camera {serial} of {capture['officer_id']}"
    yield Moment(parse_instant(capture["triggered_at"]), "camera", started)
    for marker in capture.get("markers", ()):
        yield Moment(parse_instant(marker["at"]), "camera", f"marked: {marker['label']}")
    stopped = f"recording stopped by {TRIGGERS[capture['trigger_off']]}"
    yield Moment(parse_instant(capture["stopped_at"]), "camera", stopped)


def _dispatch(clip: Known) -> Iterator[Moment]:
    for found in (clip.notice.get("activation") or {}).get("assignments", ()):
        call = f"{found['incident_id']} ({found['incident_type']})"
        yield Moment(parse_instant(found["dispatched_at"]), "dispatch", f"unit {found['unit_id']} dispatched to {call}")
        if found.get("cleared_at"):
            yield Moment(parse_instant(found["cleared_at"]), "dispatch", f"unit {found['unit_id']} cleared")


def _due(clip: Known) -> Iterator[Moment]:
    for need in clip.standing.needs if clip.standing else ():
        if need.by is not None:
            yield Moment(need.by, "policy", f"due: {need_words(need)}")


def _dock(clip: Known) -> Iterator[Moment]:
    """What the notice alone tells of the dock's part."""
    if "ingested_at" in clip.notice:
        yield Moment(parse_instant(clip.notice["ingested_at"]), "dock", custody_sentence("ingested", {}))
    for release in clip.notice["lock"].get("releases", ()):
        whom = f"to {release['person_id']} for {release['purpose']}"
        words = {"live": "is live until then", "expired": "ended", "revoked": "was revoked before its end"}
        yield Moment(parse_instant(release["expires_at"]), "dock", f"the release {whom} {words[release['state']]}")


def _custody(vault: Path, clip_id: str) -> Iterator[Moment]:
    path = find_clip(vault, clip_id).custody
    for proven in parse_model(ClipCustody, read_document(path), what=path.name, limit=LIMIT).entries:
        entry = read_entry(proven.line.encode(), what=f"{path.name}: entry {proven.sequence}")
        yield Moment(entry.at, "custody", custody_sentence(entry.action, entry.detail), entry.sequence)
