"""What people sign: facts about incidents and clips, and what viewers ask and do."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from daemon.model.statements.words import ClipIds, ExcusalReason, Force, Ids, Purpose, Statement, exactly_one
from daemon.model.times import Instant
from daemon.model.types import ClipId, Digest, DispatchId, Id, Signed, Text


class Classification(Statement):
    """What kind of force an incident involved. `clip_ids` names clips that dispatch missed.

    Without `incident_id` it classifies those clips by themselves.
    """

    kind = "classification"
    incident_id: DispatchId | None = None
    clip_ids: ClipIds = ()
    force: Force
    in_custody_death: bool
    involved: Ids = ()
    witnesses: Ids = ()
    occurred_at: Instant
    classified_at: Instant

    @model_validator(mode="after")
    def _about_something(self) -> Self:
        if self.incident_id is None and not self.clip_ids:
            raise ValueError("a classification names an incident_id or clip_ids")
        return self

    @model_validator(mode="after")
    def _names_the_involved(self) -> Self:
        if (self.force != "none" or self.in_custody_death) and not self.involved:
            raise ValueError("force or a death in custody needs at least one involved officer")
        if set(self.involved) & set(self.witnesses):
            raise ValueError("an officer is either involved or a witness")
        return self


class OfficerStatement(Statement):
    """An officer has told what happened, to a person holding the role in `to`, who signs.

    It is about an incident, or about a clip that was classified by itself.
    """

    kind = "statement"
    incident_id: DispatchId | None = None
    clip_id: ClipId | None = None
    officer_id: Id
    to: Literal["supervisor", "internal_affairs"]
    form: Literal["unrecorded", "audio", "video"]
    given_at: Instant
    recording_sha256: Digest | None = None

    @model_validator(mode="after")
    def _names_its_recording(self) -> Self:
        exactly_one(self.clip_id, self.incident_id)
        if (self.form == "unrecorded") != (self.recording_sha256 is None):
            raise ValueError("recording_sha256 goes with a recorded form, and only with it")
        return self


class Report(Statement):
    """An officer's report is filed: on an incident, or on a clip that was classified by itself."""

    kind = "report"
    incident_id: DispatchId | None = None
    clip_id: ClipId | None = None
    officer_id: Id
    filed_at: Instant

    @model_validator(mode="after")
    def _about_one_thing(self) -> Self:
        exactly_one(self.clip_id, self.incident_id)
        return self


class CourtOrder(Signed):
    """A court's written order: its docket reference, the court, its date, and the SHA-256 of the document."""

    reference: Text
    court: Text
    dated: Instant
    sha256: Digest


class Authorization(Statement):
    """Lets a person (or, for disposal, anybody in charge of it) act until `expires_at`.

    To view: by the chief. For `court` and `disclosure`, and for `disposal`, two people sign the same authorization:
    equal in everything but its signer and `issued_at`. `report_sha256` names a disposal report, with all its clips.
    """

    kind = "authorization"
    authorization_id: Id
    person_id: Id | None = None
    clip_id: ClipId | None = None
    incident_id: DispatchId | None = None
    report_sha256: Digest | None = None
    purposes: Annotated[tuple[Purpose | Literal["disposal"], ...], Field(min_length=1, max_length=16)]
    reason: Text | None = None
    court_order: CourtOrder | None = None
    issued_at: Instant
    expires_at: Instant

    @model_validator(mode="after")
    def _about_one_thing(self) -> Self:
        if self.report_sha256 is None:
            exactly_one(self.clip_id, self.incident_id)
        elif (self.clip_id, self.incident_id) != (None, None) or set(self.purposes) != {"disposal"}:
            raise ValueError("report_sha256 stands alone: no clip_id, no incident_id, and for disposal only")
        if self.person_id is None and set(self.purposes) != {"disposal"}:
            raise ValueError("an authorization to view names a person_id")
        court = {"court", "disclosure"} & set(self.purposes)
        if court and not set(self.purposes) <= {"court", "disclosure"}:
            raise ValueError("court and disclosure are authorized apart from other purposes")
        if self.court_order is not None and not (court or set(self.purposes) == {"disposal"}):
            raise ValueError("a court_order goes with court, disclosure or disposal")
        if self.expires_at <= self.issued_at:
            raise ValueError("expected issued_at < expires_at")
        return self


class Hold(Statement):
    """A legal hold: preserve. It suspends disposal; it is not the review lock."""

    kind = "hold"
    hold_id: Id
    clip_id: ClipId | None = None
    incident_id: DispatchId | None = None
    state: Literal["placed", "lifted"]
    reason: Text
    at: Instant

    @model_validator(mode="after")
    def _about_one_thing(self) -> Self:
        exactly_one(self.clip_id, self.incident_id)
        return self


class Correction(Statement):
    """Who really wore a pool camera, or that quarantined footage is admitted."""

    kind = "correction"
    clip_id: ClipId
    officer_id: Id | None = None
    admit: bool | None = None
    reason: Text
    at: Instant


class Declaration(Statement):
    """The wearer declares: no force was used and nobody died, by me or in my sight, while I wore this clip's camera."""

    kind = "declaration"
    clip_id: ClipId
    declared_at: Instant


class Label(Statement):
    """What a clip is kept for: a category of the agency's list, and the court case it belongs to, if there is one.

    The longest that any word demands counts: a label keeps a clip longer, and never shorter.
    """

    kind = "label"
    clip_id: ClipId
    category: Id
    case_number: Annotated[Text, Field(min_length=1)] | None = None
    at: Instant


class Excusal(Statement):
    """A supervisor says why an officer's camera was late, off or stopped on a call. The verdict stands beside it."""

    kind = "excusal"
    incident_id: DispatchId
    officer_id: Id
    reason: ExcusalReason
    note: Annotated[Text, Field(min_length=1)] | None = None
    at: Instant

    @model_validator(mode="after")
    def _other_is_said(self) -> Self:
        if self.reason == "other" and self.note is None:
            raise ValueError("the reason other needs a note that says which")
        return self


class Withdrawal(Statement):
    """Takes back what an earlier attestation said, by its digest."""

    kind = "withdrawal"
    attestation_sha256: Digest
    reason: Text
    at: Instant


class Request(Statement):
    """Somebody asks to see a clip, for a purpose."""

    kind = "request"
    request_id: Id
    clip_id: ClipId
    purpose: Purpose
    requested_at: Instant


class Opened(Statement):
    """Somebody has opened a clip under a release order."""

    kind = "opened"
    order_id: Id
    clip_id: ClipId
    person_id: Id
    opened_at: Instant
    clip_sha256: Digest


FACTS: tuple[type[Statement], ...] = (
    Classification,
    OfficerStatement,
    Report,
    Authorization,
    Hold,
    Correction,
    Declaration,
    Label,
    Excusal,
    Withdrawal,
)
"""What people attest about incidents and clips."""


BY_PEOPLE: tuple[type[Statement], ...] = (*FACTS, Request, Opened)
"""Everything that people sign: facts, and what viewers ask and do."""
