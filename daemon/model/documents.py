"""Unsigned documents: what lies on a camera's mount, what goes over MQTT, what stands in a custody log."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from daemon.model.disposal_report import DisposalReport
from daemon.model.statements import Because, Force, Integrity, Purpose
from daemon.model.times import Instant
from daemon.model.types import ClipId, Count, Digest, DispatchId, Document, Id, Seconds, Size, Text

Json = dict[str, Any]


class Camera(Document):
    """`camera.json` on a mount: who is docked. `docked_at` is the camera's own clock."""

    schema_: Annotated[Literal["bwc.camera/1"], Field(alias="schema")]
    serial: Id
    model: Text
    firmware: Text
    officer_id: Id
    docked_at: Instant
    battery_percent: Annotated[float, Field(ge=0, le=100)]
    total_bytes: Size
    free_bytes: Size


class EnvelopeDocument(Document, title="Envelope"):
    """A DSSE v1 envelope as JSON, for schemas only; `daemon.seal.envelope` parses and verifies."""

    payload: str
    payloadType: str  # noqa: N815 (the field's name in DSSE)
    signatures: Annotated[list[dict[str, str]], Field(min_length=1, max_length=1)]


class ShiftActivation(Document):
    """How many dispatch assignments since then went how, those without any footage included.

    `unknown_crew`: calls of which nobody knows whose they were.
    """

    since: Instant
    on_time: Count = 0
    late: Count = 0
    partial: Count = 0
    absent: Count = 0
    pending: Count = 0
    excused: Count = 0
    unknown_crew: Count = 0


class DockStatus(Document):
    """A dock's standing. `scrubbed_at` is when the vault was last read and checked whole, with so many findings.

    `unreplicated`, told where object storage is to hold a copy: clips of which something is not there yet.
    `said_at` is the dock's clock when it said so: at least once a minute while it is online.
    """

    schema_: Annotated[Literal["bwc.status/1"], Field(alias="schema")] = "bwc.status/1"
    dock_id: Id
    state: Literal["online", "offline"]
    since: Instant
    version: Text
    bays: Annotated[int, Field(ge=0)] = 0
    locked: Annotated[int, Field(ge=0)] = 0
    released: Annotated[int, Field(ge=0)] = 0
    backlog: Annotated[int, Field(ge=0)] = 0
    unreplicated: Annotated[int, Field(ge=0)] | None = None
    vault_free_bytes: Size = 0
    scrubbed_at: Instant | None = None
    scrub_findings: Annotated[int, Field(ge=0)] = 0
    activation: ShiftActivation | None = None
    said_at: Instant | None = None
    oldest_unacknowledged_seconds: Annotated[float, Field(ge=0)] = 0.0


BayState = Literal["empty", "reading", "done", "waiting", "refused", "failed"]


class Bay(Document):
    """How a bay stands. Sizes in bytes; `reason` says in words what it waits for, or why it failed."""

    schema_: Annotated[Literal["bwc.bay/1"], Field(alias="schema")] = "bwc.bay/1"
    bay: Id
    state: BayState
    camera_serial: Id | None = None
    officer_id: Id | None = None
    clips_total: int = 0
    clips_done: int = 0
    bytes_total: Size = 0
    bytes_done: Size = 0
    reason: Text | None = None


class NoticeRelease(Document):
    """A release order as a notice lists it."""

    order_id: Id
    person_id: Id
    purpose: Purpose
    expires_at: Instant
    state: Literal["live", "expired", "revoked"]


class Lock(Document):
    """Whether a clip is locked just now, why, and every release order there was."""

    state: Literal["locked", "released", "disposed"]
    reason: Text
    releases: tuple[NoticeRelease, ...] = ()


class Notice(Document):
    """A clip's current standing on its dock.

    The envelopes are authoritative; the plain fields repeat them for subscribers that do not unpack envelopes. What the
    broker retains has only the tag's, which changes: seal and capture come in the announcement, which is the same
    document, whole, and is not retained. A `disposed` clip's notice has none. `previous` is the next lower sequence not
    superseded by a newer notice of its own clip (0: none).
    """

    schema_: Annotated[Literal["bwc.notice/1"], Field(alias="schema")] = "bwc.notice/1"
    clip_id: ClipId
    dock_id: Id
    sequence: Annotated[Count, Field(ge=1)]
    previous: Count
    published_at: Instant
    lock: Lock
    integrity: Integrity
    seal_envelope: Json | None = None
    capture_envelope: Json | None = None
    tag_envelope: Json | None = None
    capture: Json | None = None
    clip_sha256: Digest
    sealed_sha256: Digest
    sealed_bytes: Size
    clock_skew_seconds: Seconds
    ingested_at: Instant | None = None
    activation: Json | None = None


class Answer(Document):
    """Whether what a person attested or asked was accepted; if not, `reason` says why.

    `note` says what an accepted word cannot do: one of somebody who is in the incident can only close, never open.
    """

    schema_: Annotated[Literal["bwc.answer/1"], Field(alias="schema")] = "bwc.answer/1"
    accepted: bool
    reason: Text | None = None
    note: Text | None = None


class Need(Document):
    """One fact that would help open a clip: its kind, the role that must attest it, its form, about whom, by when.

    `incident_id` names the incident it is about; without it, it is about the clip itself. `note` says in words what
    stands in the way of getting it.
    """

    kind: Text
    from_: Annotated[Text | None, Field(alias="from")] = None
    form: Text | None = None
    officer_id: Id | None = None
    incident_id: DispatchId | None = None
    by: Instant | None = None
    note: Text | None = None


class Decision(Document):
    """What was decided on a request, by which rules, on which facts; and what would change it."""

    schema_: Annotated[Literal["bwc.decision/1"], Field(alias="schema")] = "bwc.decision/1"
    request_id: Id
    clip_id: ClipId
    outcome: Literal["released", "refused", "revoked", "expired"]
    because: tuple[Because, ...] = ()
    needs: tuple[Need, ...] = ()
    decided_at: Instant
    release: Json | None = None


class Standing(Document):
    """A clip's standing, as the policy service tells supervisors: what would open it, and by when."""

    schema_: Annotated[Literal["bwc.standing/1"], Field(alias="schema")] = "bwc.standing/1"
    clip_id: ClipId
    incidents: tuple[DispatchId, ...] = ()
    force: Force | Literal["unclassified"]
    needs: tuple[Need, ...] = ()
    due: Instant | None = None
    overdue: bool = False


class CustodyEntry(Document):
    """One leaf of a custody log. `attestations` are digests the entry rests on."""

    schema_: Annotated[Literal["bwc.custody/1"], Field(alias="schema")] = "bwc.custody/1"
    sequence: Count
    at: Instant
    action: Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]
    clip_id: ClipId | None = None
    actor: Id
    detail: Annotated[Json, Field(default_factory=dict)]
    attestations: tuple[Digest, ...] = ()


class WrappedKeys(Document):
    """`wrapped_keys.json` beside an offline-sealed clip."""

    clip_id: ClipId
    dock_id: Id
    capture_sha256: Digest | None = None
    format: Literal["AES256_GCM_HKDF_1MB"]
    clip_sha256: Digest
    sealed_sha256: Digest
    wrapped_keys: tuple[Json, ...]


DOCUMENTS: dict[str, type[Document]] = {
    "camera": Camera,
    "envelope": EnvelopeDocument,
    "status": DockStatus,
    "bay": Bay,
    "notice": Notice,
    "answer": Answer,
    "decision": Decision,
    "standing": Standing,
    "custody": CustodyEntry,
    "wrapped-keys": WrappedKeys,
    "disposal-report": DisposalReport,
}
"""Every document that has a JSON Schema, by the schema file's name."""
