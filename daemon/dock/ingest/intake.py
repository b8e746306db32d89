"""Taking a clip in: the decisions that need the store, in the loop's transaction.

prepare:          who is this clip, and do we hold it already?   -> a job for the reader
make_statements:  the dock's own statements about it             -> to be signed, and written beside the sealed file
commit:           state, custody, notice in one transaction: the commit point
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from daemon.core import intake as decide
from daemon.core.dispatch.recording import Recording
from daemon.core.dispatch.spans import merged
from daemon.core.lifecycle import LifecycleEvent, State, advance
from daemon.core.settle import FileStat
from daemon.core.windows import AROUND_A_RECORDING
from daemon.custody.log import NewEntry
from daemon.dock.context import Transaction
from daemon.dock.dispatch.tags import dispatch_due, fingerprint, make_tag, officer_first_seen, retag
from daemon.dock.ingest.jobs import (
    CameraSeen,
    FoundOnCamera,
    Job,
    ReadCapture,
    SealedClip,
    SignedClip,
    recording_of_capture,
)
from daemon.dock.store.rows import HeldClip
from daemon.model.custody_actions import CustodyAction
from daemon.model.errors import ReplayedError
from daemon.model.statements import Seal, Tag
from daemon.model.times import format_instant
from daemon.seal.stream import FORMAT


def prepare(tx: Transaction, bay: str, camera: CameraSeen, clips: Sequence[FoundOnCamera]) -> list[Job | HeldClip]:
    """Each clip's job, noted in the store; or the clip it already is."""
    return [_prepare(tx, bay, camera, clip) for clip in clips]


def _prepare(tx: Transaction, bay: str, camera: CameraSeen, clip: FoundOnCamera) -> Job | HeldClip:
    read, verified = clip.capture, clip.capture.verified
    claimed = verified.sha256 if verified is not None else None
    held = tx.store.clip_of_file(camera.serial, clip.stem, _spell(clip.footage), claimed)
    if held is not None:
        return held
    identity = decide.identify(
        clip.stem, lambda: str(uuid.uuid4()), verified=verified is not None, taken=tx.store.is_known(clip.stem)
    )
    job = Job(
        identity.clip_id,
        identity.claimed,
        bay,
        camera.serial,
        verified.officer_id if verified is not None else camera.officer_id,
        clip.stem,
        clip.footage,
        camera.skew,
        read.state,
        read.envelope.digest if read.envelope else None,
        hashlib.sha256(read.data).hexdigest() if read.data is not None else None,
        read.problem,
    )
    tx.store.stage(job.clip_id, job.to_text())
    return job


def make_statements(tx: Transaction, clips: Sequence[SealedClip]) -> list[tuple[Seal, Tag] | HeldClip]:
    """Each clip's seal and first tag, to be signed by whoever asked; or the clip that these bytes already are."""
    return [_make_statements(tx, clip) for clip in clips]


def _make_statements(tx: Transaction, clip: SealedClip) -> tuple[Seal, Tag] | HeldClip:
    job, capture, sealed = clip.job, clip.capture.capture, clip.result.sealed
    held = tx.store.clip_of_bytes(job.camera_serial, job.stem, sealed.clip_sha256)
    if held is not None:
        return held
    agrees = capture is not None and (capture.sha256, capture.size_bytes) == (sealed.clip_sha256, sealed.size)
    value = decide.integrity(clip.capture.state, digest_agrees=agrees, playable=clip.result.playable)
    seal = Seal(
        clip_id=job.clip_id,
        claimed_clip_id=job.claimed,
        dock_id=tx.dock.dock_id,
        bay=job.bay,
        capture_sha256=job.capture_sha256,
        clip_sha256=sealed.clip_sha256,
        sealed_sha256=sealed.sealed_sha256,
        sealed_bytes=sealed.sealed_bytes,
        format=FORMAT,
        wrapped_keys=clip.result.wrapped_keys,
        clock_skew_seconds=round(job.skew, 3),
        ingested_at=tx.now(),
        integrity=value,
    )
    return seal, make_tag(tx, job.clip_id, job.recording(capture, value), revision=1)


def commit(tx: Transaction, clips: Sequence[SignedClip]) -> list[HeldClip]:
    """Rows, custody entries and notices of clips that lie in their places: once the transaction is durable, they are
    taken in. Raises ReplayedError for a clip that is taken in already.
    """
    clip_ids = [clip.job.clip_id for clip in clips]
    for clip_id in tx.store.clips_by_id(clip_ids):
        raise ReplayedError(f"clip {clip_id} is taken in already")
    rows: list[HeldClip] = []
    entries: list[NewEntry] = []
    recordings: dict[str, list[Recording]] = {}
    for clip, sequence in zip(clips, tx.store.next_sequences(len(clips)), strict=True):
        job, seal, tag = clip.job, clip.seal.statement(Seal), clip.tag.statement(Tag)
        recording = job.recording(clip.capture, seal.integrity)
        origin = CameraOrigin(job.camera_serial, job.officer_id, job.stem, _spell(job.footage))
        event = LifecycleEvent.QUARANTINE if decide.quarantined(seal.integrity) else LifecycleEvent.COMMIT
        rows.append(clip_row(tx, advance(State.STAGED, event), seal, tag, recording, origin, sequence))
        entries += _entries(clip, seal)
        tx.after_commit(partial(tx.dock.metrics.took_in, seal.integrity, job.footage.size))
        if recording is not None:
            recordings.setdefault(recording.officer_id, []).append(recording)
    newcomers = sorted({row.officer_id for row in rows if not tx.store.knows_officer(row.officer_id)})
    tx.store.add_clips(rows)
    tx.store.unstage(clip_ids)
    tx.record(*entries)
    for officer_id in newcomers:
        officer_first_seen(tx, officer_id)
    _retag_around(tx, recordings)
    return rows


def _retag_around(tx: Transaction, recordings: dict[str, list[Recording]]) -> None:
    """A verdict depends on all of an officer's clips: new ones may change earlier verdicts."""
    for officer_id, news in recordings.items():
        spans = [(one.started_at - AROUND_A_RECORDING, one.stopped_at + AROUND_A_RECORDING) for one in news]
        for begin, end in merged(spans):
            if tx.dock.dispatch.of_officer(officer_id, begin, end):
                retag(tx, officer_id, begin, end)


def _entries(clip: SignedClip, seal: Seal) -> list[NewEntry]:
    """What custody records of a clip's intake."""
    job = clip.job
    detail: dict[str, Any] = {
        "bay": seal.bay,
        "camera_serial": job.camera_serial,
        "clip_sha256": seal.clip_sha256,
        "sealed_sha256": seal.sealed_sha256,
        "integrity": seal.integrity,
    }
    if job.capture_file_sha256 is not None:
        detail["capture_file_sha256"] = job.capture_file_sha256
    if job.claimed is not None:
        detail["claimed_clip_id"] = job.claimed
    if job.problem is not None:
        detail["problem"] = job.problem[:500]
    proofs = tuple(digest for digest in (seal.capture_sha256, clip.seal.digest) if digest)
    entries = [NewEntry(CustodyAction.INGESTED, seal.clip_id, detail, proofs)]
    if decide.quarantined(seal.integrity):
        integrity = {"integrity": seal.integrity}
        entries.append(NewEntry(CustodyAction.QUARANTINED, seal.clip_id, integrity, (clip.seal.digest,)))
    entries.append(NewEntry(CustodyAction.TAGGED, seal.clip_id, {"revision": 1}, (clip.tag.digest,)))
    return entries


@dataclass(frozen=True)
class CameraOrigin:
    """What of a clip's row does not stand in its seal or tag: where it came from."""

    camera_serial: str
    officer_id: str
    stem: str
    footage: str


def clip_row(
    tx: Transaction,
    state: State,
    seal: Seal,
    tag: Tag,
    recording: Recording | None,
    origin: CameraOrigin,
    sequence: int,
) -> HeldClip:
    """A clip as the store is to hold it from now on; `sequence` is its new notice's."""
    return HeldClip(
        clip_id=seal.clip_id,
        state=state,
        integrity=seal.integrity,
        bay=seal.bay,
        **vars(origin),
        capture_sha256=seal.capture_sha256,
        clip_sha256=seal.clip_sha256,
        sealed_sha256=seal.sealed_sha256,
        sealed_bytes=seal.sealed_bytes,
        skew=seal.clock_skew_seconds,
        started_at=format_instant(recording.started_at) if recording else None,
        triggered_at=format_instant(recording.triggered_at) if recording else None,
        stopped_at=format_instant(recording.stopped_at) if recording else None,
        ingested_at=format_instant(seal.ingested_at),
        tag_revision=tag.revision,
        activation=fingerprint(tag),
        dispatch_due=dispatch_due(tag, recording, tx.dock.config.ingest.max_skew_seconds),
        sequence=sequence,
    )


def are_dispatched(tx: Transaction, camera: CameraSeen, captures: Sequence[ReadCapture]) -> list[bool]:
    """Whether dispatch had sent each clip's officer to a call when it was recorded, as far as is known."""
    return [_is_dispatched(tx, camera, capture) for capture in captures]


def _is_dispatched(tx: Transaction, camera: CameraSeen, read: ReadCapture) -> bool:
    capture = read.verified
    if capture is None:
        return False
    recording = recording_of_capture(capture, capture.clip_id, capture.officer_id, camera.skew)
    clip = recording.corrected(tx.dock.config.ingest.max_skew_seconds)
    return bool(tx.dock.dispatch.of_officer(clip.officer_id, clip.started_at, clip.stopped_at))


def unstage(tx: Transaction, clip_ids: Sequence[str]) -> None:
    """These clips could not be taken in this time; they are still on their camera."""
    tx.store.unstage(clip_ids)


def _spell(footage: FileStat) -> str:
    return f"{footage.size} {footage.mtime_ns} {footage.ctime_ns}"
