"""The payload of every attestation: what somebody asserts, under their own signature.

One class a kind; `KINDS` maps the kind's name to its class. The envelope around them is `daemon.seal.envelope`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from daemon.model.times import Instant
from daemon.model.types import ClipId, Count, Digest, Id, PublicKeyPem, Seconds, Signed, Size, Text

Trigger = Literal[
    "button",
    "dispatch",
    "light_bar",
    "sidearm",
    "conducted_energy_weapon",
    "vehicle",
    "timeout",
    "battery",
    "docked",
    "unknown",
]
Integrity = Literal["verified", "unsigned", "mismatch", "unplayable"]
Force = Literal["none", "minimal", "nondeadly", "serious", "deadly"]
Role = Literal["officer", "supervisor", "detective", "internal_affairs", "records", "chief", "training"]
Purpose = Literal["report", "statement", "interview", "investigation", "supervision", "training", "court"]
Verdict = Literal["on_time", "late", "partial", "absent", "pending"]
Ids = Annotated[tuple[Id, ...], Field(max_length=1000)]
ClipIds = Annotated[tuple[ClipId, ...], Field(max_length=10000)]


class Statement(Signed):
    """A signed payload. `kind` is its name in the envelope's payload type."""

    kind: ClassVar[str]


class PersonKeys(Signed):
    name: Text
    roles: Annotated[tuple[Role, ...], Field(max_length=16)]
    sign: PublicKeyPem
    open: PublicKeyPem | None = None


class PolicyKeys(Signed):
    sign: PublicKeyPem
    open: PublicKeyPem


class RecoveryKey(Signed):
    open: PublicKeyPem


class Services(Signed):
    policy: PolicyKeys
    recovery: RecoveryKey | None = None


class RevokedKey(Signed):
    keyid: Digest
    from_: Annotated[Instant, Field(alias="from")]


class TrustStatement(Statement):
    """Who is enrolled, signed by the agency's root key. Keys are PEM SubjectPublicKeyInfo."""

    kind = "trust"
    version: Annotated[Count, Field(ge=1)]
    cameras: Annotated[dict[Id, PublicKeyPem], Field(default_factory=dict)]
    docks: Annotated[dict[Id, PublicKeyPem], Field(default_factory=dict)]
    services: Services
    people: Annotated[dict[Id, PersonKeys], Field(default_factory=dict)]
    revoked: tuple[RevokedKey, ...] = ()


class Marker(Signed):
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

    incident_id: Id
    incident_type: Text
    unit_id: Id
    dispatched_at: Instant
    cleared_at: Instant | None = None
    verdict: Verdict
    triggered_after_seconds: Seconds | None = None
    covered_seconds: Annotated[Seconds, Field(ge=0)]
    uncovered_seconds: Annotated[Seconds, Field(ge=0)]
    matched_by: Literal["officer", "unit"] = "officer"


class Activation(Signed):
    """`verdict` is the clip's: an assignment's verdict, or `ambiguous`, or `undispatched`."""

    verdict: Literal["on_time", "late", "partial", "absent", "pending", "ambiguous", "undispatched"]
    revision: Annotated[Count, Field(ge=1)]
    assignments: Annotated[tuple[TaggedAssignment, ...], Field(max_length=100)] = ()


class Tag(Statement):
    """Which dispatch calls a clip belongs to. `dispatch_as_of`: time of the newest dispatch document then known."""

    kind = "tag"
    clip_id: ClipId
    dock_id: Id
    revision: Annotated[Count, Field(ge=1)]
    dispatch_as_of: Instant | None = None
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


class Classification(Statement):
    """What kind of force an incident involved. `clip_ids` names clips that dispatch missed."""

    kind = "classification"
    incident_id: Id
    clip_ids: ClipIds = ()
    force: Force
    in_custody_death: bool
    involved: Ids = ()
    witnesses: Ids = ()
    occurred_at: Instant
    classified_at: Instant

    @model_validator(mode="after")
    def _names_the_involved(self) -> Self:
        if (self.force != "none" or self.in_custody_death) and not self.involved:
            raise ValueError("force or a death in custody needs at least one involved officer")
        if set(self.involved) & set(self.witnesses):
            raise ValueError("an officer is either involved or a witness")
        return self


class OfficerStatement(Statement):
    """An officer has told what happened, to a person holding the role in `to`, who signs."""

    kind = "statement"
    incident_id: Id
    officer_id: Id
    to: Literal["supervisor", "internal_affairs"]
    form: Literal["unrecorded", "audio", "video"]
    given_at: Instant
    recording_sha256: Digest | None = None

    @model_validator(mode="after")
    def _names_its_recording(self) -> Self:
        if (self.form == "unrecorded") != (self.recording_sha256 is None):
            raise ValueError("recording_sha256 goes with a recorded form, and only with it")
        return self


class Report(Statement):
    kind = "report"
    incident_id: Id
    officer_id: Id
    filed_at: Instant


class Authorization(Statement):
    """The chief lets a person (or, for disposal, anybody in charge of it) act until `expires_at`."""

    kind = "authorization"
    authorization_id: Id
    person_id: Id | None = None
    clip_id: ClipId | None = None
    incident_id: Id | None = None
    purposes: Annotated[tuple[Purpose | Literal["disposal"], ...], Field(min_length=1, max_length=16)]
    issued_at: Instant
    expires_at: Instant

    @model_validator(mode="after")
    def _about_one_thing(self) -> Self:
        _exactly_one(self.clip_id, self.incident_id)
        if self.person_id is None and set(self.purposes) != {"disposal"}:
            raise ValueError("an authorization to view names a person_id")
        if self.expires_at <= self.issued_at:
            raise ValueError("expected issued_at < expires_at")
        return self


class Hold(Statement):
    """A legal hold: preserve. It suspends disposal; it is not the review lock."""

    kind = "hold"
    hold_id: Id
    clip_id: ClipId | None = None
    incident_id: Id | None = None
    state: Literal["placed", "lifted"]
    reason: Text
    at: Instant

    @model_validator(mode="after")
    def _about_one_thing(self) -> Self:
        _exactly_one(self.clip_id, self.incident_id)
        return self


class Correction(Statement):
    """Who really wore a pool camera, or that quarantined footage is admitted."""

    kind = "correction"
    clip_id: ClipId
    officer_id: Id | None = None
    admit: bool | None = None
    reason: Text
    at: Instant


class Withdrawal(Statement):
    kind = "withdrawal"
    attestation_sha256: Digest
    reason: Text
    at: Instant


class Request(Statement):
    kind = "request"
    request_id: Id
    clip_id: ClipId
    purpose: Purpose
    requested_at: Instant


class Opened(Statement):
    kind = "opened"
    order_id: Id
    clip_id: ClipId
    person_id: Id
    opened_at: Instant
    clip_sha256: Digest


class Because(Signed):
    """A policy that decided, and its reason in words a person understands."""

    policy_id: Annotated[str, Field(max_length=200)]
    reason: Text


class Release(Statement):
    """The policy service lets one person open one clip for one purpose until `expires_at`."""

    kind = "release"
    order_id: Id
    request_id: Id
    clip_id: ClipId
    clip_sha256: Digest
    dock_id: Id
    person_id: Id
    roles: tuple[Role, ...]
    purpose: Purpose
    granted_at: Instant
    expires_at: Instant
    regime: Id
    regime_sha256: Digest
    trust_version: Annotated[Count, Field(ge=1)]
    because: tuple[Because, ...]
    facts: tuple[Digest, ...]
    wrapped_key: WrappedKey


class Revocation(Statement):
    kind = "revocation"
    order_id: Id
    clip_id: ClipId
    dock_id: Id
    revoked_at: Instant
    because: tuple[Because, ...]


class Disposal(Statement):
    kind = "disposal"
    order_id: Id
    clip_id: ClipId
    clip_sha256: Digest
    dock_id: Id
    because: tuple[Because, ...]
    approvals: tuple[Digest, ...]
    ordered_at: Instant


class Acknowledgement(Statement):
    """Everything a dock announced up to `through` is stored; `recipients` are escrow keys proven to open."""

    kind = "acknowledgement"
    dock_id: Id
    through: Count
    recipients: Annotated[tuple[Digest, ...], Field(max_length=100)]
    at: Instant


def _exactly_one(clip_id: str | None, incident_id: str | None) -> None:
    if (clip_id is None) == (incident_id is None):
        raise ValueError("expected a clip_id or an incident_id, and not both")


FACTS: tuple[type[Statement], ...] = (
    Classification,
    OfficerStatement,
    Report,
    Authorization,
    Hold,
    Correction,
    Withdrawal,
)
"""What people attest about incidents and clips."""
BY_PEOPLE: tuple[type[Statement], ...] = (*FACTS, Request, Opened)
"""Everything that people sign: facts, and what viewers ask and do."""
_ALL: tuple[type[Statement], ...] = (
    TrustStatement,
    Capture,
    Seal,
    Tag,
    Receipt,
    *BY_PEOPLE,
    Release,
    Revocation,
    Disposal,
    Acknowledgement,
)
KINDS: dict[str, type[Statement]] = {statement.kind: statement for statement in _ALL}
