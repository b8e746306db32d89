"""Taking a clip in: the decisions that need the store, run on the service's thread inside its transaction.

prepare: who is this clip, and do we hold it already?   -> what the reader process is to do
compose: the dock's own statements about it             -> to be signed, and written beside the sealed file
commit:  state, custody, notice in one transaction: the commit point
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from daemon.core import intake as decide
from daemon.core.dispatch.spans import merged
from daemon.core.intake import CaptureState
from daemon.core.lifecycle import Event as Move
from daemon.core.lifecycle import State, advance
from daemon.custody.log import Event
from daemon.dock.context import Dock
from daemon.dock.dispatch.tags import Worn, dispatch_due, fingerprint, first_seen, make_tag, retag
from daemon.dock.store.store import ClipRow
from daemon.model import strict_json
from daemon.model.errors import (
    BwcError,
    InconsistentError,
    MalformedError,
    ReplayedError,
    VerificationError,
)
from daemon.model.statements import Capture, Integrity, Seal, Tag, WrappedKey
from daemon.model.times import format_instant
from daemon.seal import envelope as envelopes
from daemon.seal.envelope import Envelope
from daemon.seal.keys import public_pem
from daemon.seal.stream import FORMAT
from daemon.seal.verify import verify
from daemon.vault.layout import Place

_AROUND = timedelta(days=1)


@dataclass(frozen=True)
class CameraSeen:
    """Whoever is docked. `skew`: camera's clock minus dock's, seconds, as measured at this docking."""

    serial: str
    officer_id: str
    skew: float


@dataclass(frozen=True)
class ReadCapture:
    """A capture file as found: verified, or why not. `size`: the footage's size it claims, if it says one."""

    state: CaptureState
    data: bytes | None
    envelope: Envelope | None
    capture: Capture | None
    problem: str | None

    @property
    def size(self) -> int | None:
        return self.capture.size_bytes if self.capture else None


@dataclass(frozen=True)
class Job:
    """A clip to be taken in. Kept in the store from before reading until the commit: a restart can finish it."""

    clip_id: str
    claimed: str | None
    bay: str
    camera_serial: str
    officer_id: str
    stem: str
    footage: tuple[int, int, int]
    skew: float
    capture_state: CaptureState
    capture_sha256: str | None
    capture_file_sha256: str | None
    problem: str | None

    def worn(self, capture: Capture | None, value: Integrity) -> Worn | None:
        """When and by whom it was recorded; None where no capture holds."""
        if capture is None or decide.quarantined(value):
            return None
        return _worn(capture, self.clip_id, self.officer_id, self.skew)

    def command(self, dock: Dock, recipients: list[str]) -> dict[str, Any]:
        """What the reader process needs to seal it; `recipients` as `recipients_of` gives them."""
        staging = dock.vault.incoming / self.clip_id
        return {
            "stem": self.stem,
            "footage": list(self.footage),
            "target": str(staging / "clip.sealed"),
            "clip_id": self.clip_id,
            "dock_id": dock.dock_id,
            "capture_sha256": self.capture_sha256,
            "recipients": recipients,
        }


@dataclass(frozen=True)
class Composed:
    """A clip and what is said of it, signed: what goes into its directory beside the sealed file."""

    job: Job
    seal: Envelope
    tag: Envelope
    capture: Capture | None
    capture_file: bytes | None

    @property
    def place(self) -> Place:
        """Where that directory goes."""
        return "quarantine" if decide.quarantined(self.seal.statement(Seal).integrity) else "clips"


def read_capture(dock: Dock, data: bytes | None, camera: CameraSeen, stem: str, at: datetime) -> ReadCapture:
    """Verifies a capture. A doubtful one never stops its footage from being taken in."""
    if data is None:
        return ReadCapture("absent", None, None, None, None)
    try:
        envelope = envelopes.parse(data, what=f"{stem}.capture.json", limit=65536)
    except MalformedError as error:
        return ReadCapture("unusable", data, None, None, str(error))
    capture: Capture | None = None
    try:
        capture = envelope.statement(Capture)
        verify(envelope, Capture, dock.trust, at=at)
        if capture.camera_serial != camera.serial:
            raise InconsistentError(f"the capture is of camera {capture.camera_serial}, docked is {camera.serial}")
        if capture.clip_id != stem:
            raise InconsistentError(f"the capture is of clip {capture.clip_id}, the file is named {stem}")
    except VerificationError as error:
        return ReadCapture("refused", data, envelope, capture, f"{type(error).__name__}: {error}")
    return ReadCapture("verified", data, envelope, capture, None)


def prepare(
    dock: Dock, bay: str, camera: CameraSeen, stem: str, footage: tuple[int, int, int], read: ReadCapture
) -> Job | ClipRow:
    """The clip's job, or the clip it already is."""
    claimed = read.capture.sha256 if read.state == "verified" and read.capture is not None else None
    held = dock.store.clip_of_file(camera.serial, stem, _spell(footage), claimed)
    if held is not None:
        return held
    identity = decide.identify(stem, lambda: str(uuid.uuid4()), taken=dock.store.is_known(stem))
    job = Job(
        identity.clip_id,
        identity.claimed,
        bay,
        camera.serial,
        read.capture.officer_id if read.state == "verified" and read.capture else camera.officer_id,
        stem,
        footage,
        camera.skew,
        read.state,
        read.envelope.digest if read.envelope else None,
        hashlib.sha256(read.data).hexdigest() if read.data is not None else None,
        read.problem,
    )
    dock.store.stage(job.clip_id, strict_json.dump(vars(job)).decode())
    return job


def compose(dock: Dock, job: Job, read: ReadCapture, answer: dict[str, Any]) -> tuple[Seal, Tag] | ClipRow:
    """The seal and the first tag, to be signed by whoever asked; or the clip that these bytes already are."""
    sealed = answer["sealed"]
    held = dock.store.clip_of_bytes(job.camera_serial, job.stem, sealed["clip_sha256"])
    if held is not None:
        return held
    agrees = read.capture is not None and (read.capture.sha256, read.capture.size_bytes) == (
        sealed["clip_sha256"],
        sealed["size"],
    )
    value = decide.integrity(read.state, digest_agrees=agrees, playable=bool(answer["playable"]))
    seal = Seal(
        clip_id=job.clip_id,
        claimed_clip_id=job.claimed,
        dock_id=dock.dock_id,
        bay=job.bay,
        capture_sha256=job.capture_sha256,
        clip_sha256=sealed["clip_sha256"],
        sealed_sha256=sealed["sealed_sha256"],
        sealed_bytes=sealed["sealed_bytes"],
        format=FORMAT,
        wrapped_keys=tuple(WrappedKey.model_validate(wrapped) for wrapped in answer["wrapped_keys"]),
        clock_skew_seconds=round(job.skew, 3),
        ingested_at=dock.now(),
        integrity=value,
    )
    return seal, make_tag(dock, job.clip_id, job.worn(read.capture, value), revision=1)


def commit(dock: Dock, clips: Sequence[Composed]) -> list[ClipRow]:
    """Rows, custody entries and notices of clips that lie in their places: once the transaction is durable, they are
    taken in.
    """
    clip_ids = [clip.job.clip_id for clip in clips]
    for clip_id in dock.store.clips_by_id(clip_ids):
        raise ReplayedError(f"clip {clip_id} is taken in already")
    rows, events = [], []
    worn_by: dict[str, list[Worn]] = {}
    for clip, sequence in zip(clips, dock.store.next_sequences(len(clips)), strict=True):
        job, seal, tag = clip.job, clip.seal.statement(Seal), clip.tag.statement(Tag)
        worn = job.worn(clip.capture, seal.integrity)
        own = Own(job.camera_serial, job.officer_id, job.stem, _spell(job.footage))
        move = Move.QUARANTINE if decide.quarantined(seal.integrity) else Move.COMMIT
        rows.append(clip_row(dock, advance(State.STAGED, move), seal, tag, worn, own, sequence))
        events += _events(clip, seal)
        dock.after.append(partial(dock.metrics.took_in, seal.integrity, job.footage[0]))
        if worn is not None:
            worn_by.setdefault(worn.officer_id, []).append(worn)
    newcomers = [officer_id for officer_id in worn_by if not dock.store.knows_officer(officer_id)]
    dock.store.add_clips(rows)
    dock.store.unstage(clip_ids)
    dock.record_all(events)
    for officer_id in newcomers:
        first_seen(dock, officer_id, worn_by[officer_id][0].started_at)
    for officer_id, worns in worn_by.items():  # verdicts are over all of an officer's clips: these may change others'
        for begin, end in merged([(worn.started_at - _AROUND, worn.stopped_at + _AROUND) for worn in worns]):
            if dock.dispatch.of_officer(officer_id, begin, end):
                retag(dock, officer_id, begin, end)
    return rows


def _events(clip: Composed, seal: Seal) -> list[Event]:
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
    events = [Event("ingested", seal.clip_id, detail, proofs)]
    if decide.quarantined(seal.integrity):
        events.append(Event("quarantined", seal.clip_id, {"integrity": seal.integrity}, (clip.seal.digest,)))
    events.append(Event("tagged", seal.clip_id, {"revision": 1}, (clip.tag.digest,)))
    return events


@dataclass(frozen=True)
class Own:
    """What of a clip's row does not stand in its seal or tag."""

    camera_serial: str
    officer_id: str
    stem: str
    footage: str


def clip_row(dock: Dock, state: State, seal: Seal, tag: Tag, worn: Worn | None, own: Own, sequence: int) -> ClipRow:
    """A clip as the store is to hold it from now on; `sequence` is its new notice's."""
    return ClipRow(
        clip_id=seal.clip_id,
        state=state,
        integrity=seal.integrity,
        bay=seal.bay,
        **vars(own),
        capture_sha256=seal.capture_sha256,
        clip_sha256=seal.clip_sha256,
        sealed_sha256=seal.sealed_sha256,
        sealed_bytes=seal.sealed_bytes,
        skew=seal.clock_skew_seconds,
        started_at=format_instant(worn.started_at) if worn else None,
        triggered_at=format_instant(worn.triggered_at) if worn else None,
        stopped_at=format_instant(worn.stopped_at) if worn else None,
        ingested_at=format_instant(seal.ingested_at),
        tag_revision=tag.revision,
        activation=fingerprint(tag),
        dispatch_due=dispatch_due(tag, worn, dock.config.ingest.max_skew_seconds),
        sequence=sequence,
    )


def dispatched(dock: Dock, read: ReadCapture, camera: CameraSeen) -> bool:
    """Whether dispatch had sent the clip's officer to a call when it was recorded, as far as is known."""
    if read.state != "verified" or read.capture is None:
        return False
    worn = _worn(read.capture, read.capture.clip_id, read.capture.officer_id, camera.skew)
    clip = worn.corrected(dock.config.ingest.max_skew_seconds)
    return bool(dock.dispatch.of_officer(clip.officer_id, clip.started_at, clip.stopped_at))


def recipients_of(dock: Dock) -> list[str]:
    """The public keys, PEM, that each clip's data key is wrapped to just now."""
    return [public_pem(key) for key in dock.trust.escrow(dock.now())]


def abandon(dock: Dock, jobs: Collection[Job]) -> None:
    """These clips could not be taken in this time; they are still on their camera."""
    dock.store.unstage([job.clip_id for job in jobs])


def job_from(text: str) -> Job:
    """A job as kept in the store."""
    try:
        values = json.loads(text)  # our own words, and a camera's file times may be beyond 64 bits
        values["footage"] = tuple(values["footage"])
        return Job(**values)
    except (ValueError, TypeError, KeyError) as error:
        raise BwcError(f"the store's record of a staged clip is unreadable: {error}") from error


def _worn(capture: Capture, clip_id: str, officer_id: str, skew: float) -> Worn:
    times = (capture.started_at, capture.triggered_at, capture.stopped_at)
    return Worn(clip_id, officer_id, *times, skew)


def _spell(footage: tuple[int, int, int]) -> str:
    return " ".join(str(number) for number in footage)
