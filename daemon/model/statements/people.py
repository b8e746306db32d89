"""What people sign: facts about incidents and clips, and what viewers ask and do."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from daemon.model.statements.words import ClipIds, Force, Ids, Purpose, Statement, exactly_one
from daemon.model.times import Instant
from daemon.model.types import ClipId, Digest, Id, Text


class Classification(Statement):
    """What kind of force an incident involved. `clip_ids` names clips that dispatch missed, or of no incident."""

    kind = "classification"
    incident_id: Id | None = None
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
    """An officer's report on an incident is filed."""

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
        exactly_one(self.clip_id, self.incident_id)
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
    Withdrawal,
)
"""What people attest about incidents and clips."""


BY_PEOPLE: tuple[type[Statement], ...] = (*FACTS, Request, Opened)
"""Everything that people sign: facts, and what viewers ask and do."""
