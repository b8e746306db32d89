"""Questions to the policy service. Each names what is asked in `what`, and its arguments."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from daemon.model.statements.words import DecidingKind, Purpose, Statement, exactly_one
from daemon.model.times import Instant
from daemon.model.types import ClipId, Digest, DispatchId, Id, Signed

Cursor = Annotated[str, StringConstraints(pattern=r"^[!-~]+( [!-~]+)*$", max_length=256)]
"""Where the answer before ended: the `next` of its last page."""


class Supposed(Signed):
    """A word that nobody has given: what would follow if `by` signed this `statement` of this `kind` now."""

    by: Id
    kind: DecidingKind
    statement: dict[str, Any]


class AskedClips(Signed):
    """Clips that began in [`since`, `until`) by their dock's clock, each with how it stands."""

    what: Literal["clips"]
    since: Instant
    until: Instant
    only: Literal["all", "unclassified"] = "all"
    after: Cursor | None = None


class AskedWords(Signed):
    """What people have attested about a clip (and its incidents), or about an incident."""

    what: Literal["words"]
    clip_id: ClipId | None = None
    incident_id: DispatchId | None = None
    after: Cursor | None = None

    @model_validator(mode="after")
    def _about_one_thing(self) -> Self:
        exactly_one(self.clip_id, self.incident_id)
        return self


class AskedDecision(Signed):
    """What would be decided now if this person asked for this clip, and these words were given as well."""

    what: Literal["decision"]
    clip_id: ClipId
    person_id: Id
    purpose: Purpose
    suppose: Annotated[tuple[Supposed, ...], Field(max_length=20)] = ()


class AskedReport(Signed):
    """A disposal report as it is hashed: the one with this digest, or the newest."""

    what: Literal["disposal_report"]
    sha256: Digest | None = None
    after: Cursor | None = None


class Query(Statement):
    """Somebody asks the policy service. It answers on the topic of `query_id`, by the roles of whoever asks."""

    kind = "query"
    query_id: Id
    question: Annotated[AskedClips | AskedWords | AskedDecision | AskedReport, Field(discriminator="what")]
    asked_at: Instant
