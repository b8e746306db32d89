"""What cameras and docks sign."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from daemon.model.statements.words import Integrity, Statement, Trigger, Verdict
from daemon.model.times import Instant
from daemon.model.types import ClipId, Count, Digest, DispatchId, Id, Seconds, Signed, Size, Text


class Marker(Signed):
    """A moment that the officer marked while recording."""

    at: Instant
    label: Text


class Capture(Statement):
    """What the camera says it recorded. `started_at` includes the pre-event buffer."""

    kind = "capture"
    clip_id: Id  # an Id, not a ClipId: one that is no UUID is given a fresh one at the dock
    camera_serial: Id
    officer_id: Id
    size_bytes: Size
    media_type: Annotated[str, Field(max_length=100)]
    sha256: Digest
    started_at: Instant
    triggered_at: Instant
    stopped_at: Instant
    pre_event_seconds: Annotated[Seconds, Field(ge=0)]
    trigger_on: Trigger
    trigger_off: Trigger
    markers: Annotated[tuple[Marker, ...], Field(max_length=1000)] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.started_at <= self.triggered_at <= self.stopped_at:
            raise ValueError("expected started_at <= triggered_at <= stopped_at")
        return self


class WrappedKey(Signed):
    """A data key encrypted to one recipient: base64 of HPKE `enc || ct`, 113 bytes for this suite."""

    recipient: Digest
    suite: Literal["P256-SHA256-AES256GCM"]
    ciphertext: Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9+/]+={0,2}$")]


class Seal(Statement):
    """What the dock took in: the footage's digest, the sealed file's digest, and who can unwrap the data key."""

    kind = "seal"
    clip_id: ClipId
    claimed_clip_id: Text | None = None
    dock_id: Id
    bay: Id
    capture_sha256: Digest | None = None
    clip_sha256: Digest
    sealed_sha256: Digest
    sealed_bytes: Size
    format: Literal["AES256_GCM_HKDF_1MB"]
    wrapped_keys: Annotated[tuple[WrappedKey, ...], Field(min_length=1, max_length=2)]
    clock_skew_seconds: Seconds
    ingested_at: Instant
    integrity: Integrity


class TaggedAssignment(Signed):
    """One dispatch assignment that the clip overlaps, and how punctual its officer's camera was over it."""

    incident_id: DispatchId
    incident_type: Text
    unit_id: DispatchId
    dispatched_at: Instant
    cleared_at: Instant | None = None
    verdict: Verdict
    triggered_after_seconds: Seconds | None = None
    covered_seconds: Annotated[Seconds, Field(ge=0)]
    uncovered_seconds: Annotated[Seconds, Field(ge=0)]
    matched_by: Literal["officer", "unit"] = "officer"


class Activation(Signed):
    """`verdict` is the clip's: an assignment's verdict, or `ambiguous`, or `undispatched`."""

    verdict: Literal["on_time", "late", "partial", "absent", "pending", "excused", "ambiguous", "undispatched"]
    revision: Annotated[Count, Field(ge=1)]
    assignments: Annotated[tuple[TaggedAssignment, ...], Field(max_length=100)] = ()


class Tag(Statement):
    """Which dispatch calls a clip belongs to. `dispatch_as_of`: time of the newest dispatch document then known.

    `unclear`: how many calls of unknown crew there were while it was recorded, and how many documents or parts that
    could not be read. Where the dock does not say, nobody may take it for none. `perhaps`: the incidents of those calls
    that may have been the wearer's, by the unit that dispatch named them on last: at most 10 of them.
    """

    kind = "tag"
    clip_id: ClipId
    dock_id: Id
    revision: Annotated[Count, Field(ge=1)]
    dispatch_as_of: Instant | None = None
    unclear: Count | None = None
    perhaps: Annotated[tuple[DispatchId, ...], Field(max_length=10)] = ()
    activation: Activation
    documents: Annotated[tuple[Digest, ...], Field(max_length=1000)] = ()


class Receipt(Statement):
    """The dock holds the clip durably; from `erase_after` the camera may erase it."""

    kind = "receipt"
    clip_id: ClipId
    dock_id: Id
    camera_serial: Id
    clip_sha256: Digest
    sealed_sha256: Digest
    sequence: Count
    erase_after: Instant
