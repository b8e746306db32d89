"""Which dispatch calls a clip belongs to, as a signed tag; and a new revision whenever dispatch says more."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.core.dispatch.activation import Clip
from daemon.core.dispatch.crews import SHIFT
from daemon.core.dispatch.tags import Tagging, tag_clips
from daemon.custody.log import Event
from daemon.dock.context import Dock
from daemon.dock.store.store import ClipRow
from daemon.model import strict_json
from daemon.model.errors import BwcError, VerificationError
from daemon.model.statements import Activation, Tag
from daemon.model.times import format_instant, parse_instant
from daemon.seal import envelope as envelopes
from daemon.vault import durable

log = logging.getLogger(__name__)
_NOTHING: Tagging = ("undispatched", ())
_MOST_DOCUMENTS = 1000
_LONGEST = timedelta(days=2)
"""How far around a document's times clips are looked at again: as long as an open call is kept in mind."""


@dataclass(frozen=True)
class Worn:
    """When and by whom a clip was recorded, as the camera says. `skew` seconds its clock was ahead."""

    clip_id: str
    officer_id: str
    started_at: datetime
    triggered_at: datetime
    stopped_at: datetime
    skew: float

    def corrected(self, max_skew: float) -> Clip:
        """On the dock's clock; a skew beyond the limit is shown, not applied."""
        clip = Clip(self.clip_id, self.officer_id, self.started_at, self.triggered_at, self.stopped_at)
        return clip.corrected(self.skew) if abs(self.skew) <= max_skew else clip


def make_tag(dock: Dock, clip_id: str, worn: Worn | None, revision: int) -> Tag:
    """The clip's tag from the dispatch documents known now. `worn` is None for footage without a capture that holds."""
    tagging = _NOTHING if worn is None else _taggings(dock, worn.officer_id, [worn]).get(clip_id, _NOTHING)
    return _tag(dock, clip_id, tagging, revision)


def fingerprint(tag: Tag) -> str:
    """What of a tag matters to its readers: equal for two revisions that say the same."""
    said = tag.activation.plain() | {"revision": 0}
    return hashlib.sha256(strict_json.dump(said)).hexdigest()


def dispatch_due(tag: Tag, worn: Worn | None, max_skew: float) -> str | None:
    """Until when dispatch must have spoken for an undispatched clip to be known as such; None when it has, or is."""
    if worn is None or tag.activation.verdict != "undispatched":
        return None
    stopped = worn.corrected(max_skew).stopped_at
    covered = tag.dispatch_as_of is not None and tag.dispatch_as_of >= max(stopped, worn.stopped_at)
    return None if covered else format_instant(max(stopped, worn.stopped_at))


def receive(dock: Dock, data: bytes, source: str) -> None:
    """Keeps a dispatch document from the broker or the watched folder; one that cannot be used is set aside.

    What it changes, `settle` works out.
    """
    if not data:
        return
    now, source = dock.now(), ascii(source)[1:-1]  # a file's or a topic's name, chosen by a stranger
    try:
        dock.dispatch.add(data, now)
    except VerificationError as error:
        if dock.dispatch.set_aside(data, source, now, str(error)):
            log.warning("set aside a dispatch document from %s: %s", source, error)
            dock.metrics.refused("dispatch", type(error).__name__)


def settle(dock: Dock) -> None:
    """Brings assignments and tags up to date with the documents received, many at once; before anything asks for them
    and before they are durable.
    """
    news = dock.dispatch.take_news()
    if news is None:
        return
    _retag_all(dock, dock.dispatch.work_out(news, dock.store.officers()), *news.span)
    before, as_of = dock.dispatch_as_of, min(news.as_of, dock.now())  # no document speaks for the future
    if before is None or as_of > before:
        dock.store.set("dispatch_as_of", format_instant(as_of))
        for clip in dock.store.waiting_for_dispatch(format_instant(as_of)):
            _revise(dock, clip, _NOTHING)


def first_seen(dock: Dock, officer_id: str, at: datetime) -> None:
    """An officer's camera docks for the first time: calls that named only their unit may now be theirs."""
    begin, end = at - SHIFT, at + SHIFT
    _retag_all(dock, dock.dispatch.wears(officer_id, begin, end, dock.store.officers()), begin, end)


def _retag_all(dock: Dock, officers: Collection[str], begin: datetime, end: datetime) -> None:
    """Of those whose assignments changed. A call may have been open for long, and every clip since its dispatch may."""
    for officer_id in sorted(officers):
        retag(dock, officer_id, begin - _LONGEST, end + _LONGEST)


def retag(dock: Dock, officer_id: str, start: datetime, end: datetime) -> None:
    """Revises the tags of the officer's clips in [start, end) that would now say something else."""
    clips = {clip.clip_id: clip for clip in dock.store.clips_of_officer(officer_id, start, end)}
    worn = [found for clip in clips.values() if (found := worn_of(clip)) is not None]
    taggings = _taggings(dock, officer_id, worn)
    for clip_id, clip in sorted(clips.items()):
        tagging = taggings.get(clip_id, _NOTHING)
        probe = _tag(dock, clip_id, tagging, clip.tag_revision)
        if fingerprint(probe) != clip.activation:
            _revise(dock, clip, tagging)


def worn_of(clip: ClipRow) -> Worn | None:
    """A stored clip's times; None for footage without a capture that holds."""
    if clip.started_at is None or clip.triggered_at is None or clip.stopped_at is None:
        return None
    times = (parse_instant(clip.started_at), parse_instant(clip.triggered_at), parse_instant(clip.stopped_at))
    return Worn(clip.clip_id, clip.officer_id, *times, clip.skew)


def _revise(dock: Dock, clip: ClipRow, tagging: Tagging) -> None:
    """A new revision: the tag's file first, then custody and a new notice in the caller's transaction."""
    revision = clip.tag_revision + 1
    tag = _tag(dock, clip.clip_id, tagging, revision)
    envelope = envelopes.sign(tag, dock.sign_key)
    directory = dock.vault.find(clip.clip_id)
    if directory is None:
        raise BwcError(f"clip {clip.clip_id} is in the store but not in the vault")
    durable.write_replacing(directory.tag(revision), envelope.to_bytes())
    due = dispatch_due(tag, worn_of(clip), dock.config.ingest.max_skew_seconds)
    dock.store.retag(clip.clip_id, revision, fingerprint(tag), due, dock.store.next_sequence())
    dock.record(Event("tagged", clip.clip_id, {"revision": revision}, (envelope.digest,)))


def _taggings(dock: Dock, officer_id: str, clips: Collection[Worn]) -> dict[str, Tagging]:
    """Taggings of these clips of one officer, over all of the officer's clips and assignments around them."""
    if not clips:
        return {}
    max_skew = dock.config.ingest.max_skew_seconds
    asked = [clip.corrected(max_skew) for clip in clips]
    start, end = min(clip.started_at for clip in asked), max(clip.stopped_at for clip in asked)
    assignments = dock.dispatch.of_officer(officer_id, start, end)
    if not assignments:
        return {}
    start = min(start, *(assignment.dispatched_at for assignment in assignments))
    end = max([end, *(assignment.cleared_at or end for assignment in assignments)])
    known = {clip.clip_id: clip for clip in asked}
    for row in dock.store.clips_of_officer(officer_id, start, end):
        worn = worn_of(row)
        if worn is not None:
            known.setdefault(row.clip_id, worn.corrected(max_skew))
    newest = max(clip.stopped_at for clip in known.values())
    stored = dock.store.newest_stop(officer_id)
    docked_until = {officer_id: max(newest, parse_instant(stored)) if stored else newest}
    grace = dock.config.activation.grace_seconds
    return tag_clips(known.values(), assignments, docked_until, grace)


def _tag(dock: Dock, clip_id: str, tagging: Tagging, revision: int) -> Tag:
    verdict, tagged = tagging
    documents = dock.dispatch.digests_of(sorted({one.incident_id for one in tagged}))
    return Tag(
        clip_id=clip_id,
        dock_id=dock.dock_id,
        revision=revision,
        dispatch_as_of=dock.dispatch_as_of,
        activation=Activation(verdict=verdict, revision=revision, assignments=tagged),
        documents=documents[:_MOST_DOCUMENTS],
    )
