"""Which dispatch calls a clip belongs to, as a signed tag; and a new revision whenever dispatch says more."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from daemon.core.dispatch.recording import Recording
from daemon.core.dispatch.spans import Span, merged
from daemon.core.dispatch.tags import Tagging, tag_clips
from daemon.core.windows import LONGEST_CALL
from daemon.custody.log import NewEntry
from daemon.dock.context import Transaction
from daemon.dock.store.dispatch_unclear import MANY
from daemon.dock.store.meta import MetaKey
from daemon.dock.store.rows import HeldClip, recording_of
from daemon.model import strict_json
from daemon.model.custody_actions import CustodyAction
from daemon.model.statements import Activation, Tag
from daemon.model.times import format_instant, parse_instant
from daemon.seal import envelope as envelopes
from daemon.vault import durable

UNDISPATCHED: Tagging = ("undispatched", ())
"""What a clip's tag says when no call is its officer's."""
_MOST_DOCUMENTS = 1000


def make_tag(tx: Transaction, clip_id: str, recording: Recording | None, revision: int) -> Tag:
    """The clip's tag from the dispatch documents known now. Footage without a capture that holds has no `recording`."""
    tagging = UNDISPATCHED
    if recording is not None:
        tagging = _taggings(tx, recording.officer_id, [recording]).get(clip_id, UNDISPATCHED)
    return _tag(tx, clip_id, recording, tagging, revision)


def fingerprint(tag: Tag) -> str:
    """What of a tag matters to its readers: equal for two revisions that say the same."""
    said: dict[str, Any] = tag.activation.plain() | {"revision": 0} | ({"perhaps": tag.perhaps} if tag.perhaps else {})
    if tag.unclear is not None:
        said["unclear"] = min(tag.unclear, MANY)
    return hashlib.sha256(strict_json.dump(said)).hexdigest()


def dispatch_due(tag: Tag, recording: Recording | None, max_skew: float) -> str | None:
    """Until when dispatch must have spoken for the tag to say whether anything is unclear; None when it has."""
    if recording is None:
        return None
    ended = max(recording.corrected(max_skew).stopped_at, recording.stopped_at)
    covered = tag.dispatch_as_of is not None and tag.dispatch_as_of >= ended
    return None if covered else format_instant(ended)


def officer_first_seen(tx: Transaction, officer_id: str) -> None:
    """An officer is known to wear a camera from now on: calls that named only their unit may be theirs."""
    retag_spans(tx, tx.dock.dispatch.recompute_for_wearer(officer_id, tx.store.officers()))
    retag_unclear(tx)


def retag_officers(tx: Transaction, officers: Collection[str], begin: datetime, end: datetime) -> None:
    """Of officers whose assignments changed. A call may have been open for long, and every clip since its dispatch may
    be part of it.
    """
    for officer_id in sorted(officers):
        retag(tx, officer_id, begin - LONGEST_CALL, end + LONGEST_CALL)


def retag_spans(tx: Transaction, changed: Iterable[tuple[str, Span]]) -> None:
    """Of officers whose assignments of these times changed."""
    gathered: dict[str, list[Span]] = defaultdict(list)
    for officer_id, span in changed:
        gathered[officer_id].append(span)
    for officer_id, spans in sorted(gathered.items()):
        for begin, end in merged(spans):
            retag(tx, officer_id, begin, end)


def retag_unclear(tx: Transaction) -> None:
    """Of everybody who recorded when what is unclear has changed."""
    for begin, end in merged(tx.dock.dispatch.unclear.drain_changed()):
        for officer_id in sorted(tx.store.officers_recording(begin, end)):
            retag(tx, officer_id, begin, end)


def retag(tx: Transaction, officer_id: str, start: datetime, end: datetime) -> None:
    """Revises the tags of the officer's clips in [start, end) that would now say something else."""
    clips = {clip.clip_id: clip for clip in tx.store.clips_of_officer(officer_id, start, end)}
    recordings = [found for clip in clips.values() if (found := recording_of(clip)) is not None]
    taggings = _taggings(tx, officer_id, recordings)
    for clip_id, clip in sorted(clips.items()):
        tagging = taggings.get(clip_id, UNDISPATCHED)
        probe = _tag(tx, clip_id, recording_of(clip), tagging, clip.tag_revision)
        if fingerprint(probe) != clip.activation:
            revise(tx, clip, tagging)


def revise_covered(tx: Transaction) -> None:
    """Tags that could not say whether anything is unclear: dispatch has now spoken past their clips' end."""
    as_of = tx.store.dispatch_as_of
    waiting = tx.store.waiting_for_dispatch(format_instant(as_of)) if as_of is not None else []
    for officer_id in sorted({clip.officer_id for clip in waiting}):
        clips = [clip for clip in waiting if clip.officer_id == officer_id]
        recordings = [found for clip in clips if (found := recording_of(clip)) is not None]
        taggings = _taggings(tx, officer_id, recordings)
        for clip in clips:
            revise(tx, clip, taggings.get(clip.clip_id, UNDISPATCHED))


def revise(tx: Transaction, clip: HeldClip, tagging: Tagging) -> None:
    """A new revision: the tag's file first, then custody and a new notice in the caller's transaction."""
    revision, recording = clip.tag_revision + 1, recording_of(clip)
    tag = _tag(tx, clip.clip_id, recording, tagging, revision)
    envelope = envelopes.sign(tag, tx.dock.sign_key)
    durable.write_replacing(tx.dock.clip_directory(clip.clip_id).tag(revision), envelope.to_bytes())
    due = dispatch_due(tag, recording, tx.dock.config.ingest.max_skew_seconds)
    tx.store.retag(clip.clip_id, revision, fingerprint(tag), due, tx.store.next_sequence())
    tx.record(NewEntry(CustodyAction.TAGGED, clip.clip_id, {"revision": revision}, (envelope.digest,)))


def _taggings(tx: Transaction, officer_id: str, clips: Collection[Recording]) -> dict[str, Tagging]:
    """Taggings of these clips of one officer, over all of the officer's clips and assignments around them."""
    if not clips:
        return {}
    max_skew = tx.dock.config.ingest.max_skew_seconds
    asked = [clip.corrected(max_skew) for clip in clips]
    start, end = min(clip.started_at for clip in asked), max(clip.stopped_at for clip in asked)
    assignments = tx.dock.dispatch.of_officer(officer_id, start, end)
    if not assignments:
        return {}
    start = min(start, *(assignment.dispatched_at for assignment in assignments))
    end = max([end, *(assignment.cleared_at or end for assignment in assignments)])
    known = {clip.clip_id: clip for clip in asked}
    for row in tx.store.clips_of_officer(officer_id, start, end):
        recording = recording_of(row)
        if recording is not None:
            known.setdefault(row.clip_id, recording.corrected(max_skew))
    newest = max(clip.stopped_at for clip in known.values())
    stored = tx.store.newest_stop(officer_id)
    docked_until = {officer_id: max(newest, parse_instant(stored)) if stored else newest}
    grace = tx.dock.config.activation.grace_seconds
    return tag_clips(known.values(), assignments, docked_until, grace)


def _tag(tx: Transaction, clip_id: str, recording: Recording | None, tagging: Tagging, revision: int) -> Tag:
    verdict, tagged = tagging
    documents = tx.dock.dispatch.digests_of(sorted({one.incident_id for one in tagged}))
    unclear, perhaps = (None, ()) if recording is None else _unclear(tx, recording)
    return Tag(
        clip_id=clip_id,
        dock_id=tx.dock.dock_id,
        revision=revision,
        dispatch_as_of=tx.store.dispatch_as_of,
        unclear=unclear,
        perhaps=perhaps,
        activation=Activation(verdict=verdict, revision=revision, assignments=tagged),
        documents=documents[:_MOST_DOCUMENTS],
    )


def _unclear(tx: Transaction, recording: Recording) -> tuple[int | None, tuple[str, ...]]:
    """How much of dispatch is unclear about a clip's time, and the incidents of the calls of unknown crew that may have
    been its wearer's. None: not known how much.
    """
    clip, dispatch = recording.corrected(tx.dock.config.ingest.max_skew_seconds), tx.dock.dispatch
    unknown = dispatch.unclear.unknown_between(clip.started_at, clip.stopped_at)
    theirs = dispatch.perhaps_theirs(clip) if unknown else ()
    perhaps = tuple(dict.fromkeys(call.incident_id for call in theirs))[:MANY]
    if not _dispatch_is_known(tx, clip.started_at, max(clip.stopped_at, recording.stopped_at)):
        return None, perhaps
    return len(unknown) + dispatch.unclear.set_aside_between(clip.started_at, clip.stopped_at), perhaps


def _dispatch_is_known(tx: Transaction, started: datetime, ended: datetime) -> bool:
    """Whether dispatch has spoken past a clip's end, and nothing may be forgotten, or was lost with a database."""
    as_of, since = tx.store.dispatch_as_of, tx.now() - timedelta(days=tx.dock.config.activation.keep_days)
    if (rebuilt := tx.store.get(MetaKey.DISPATCH_SINCE)) is not None:
        since = max(since, parse_instant(rebuilt))
    return as_of is not None and as_of >= ended and started - LONGEST_CALL >= since
