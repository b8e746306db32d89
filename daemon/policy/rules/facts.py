"""The facts that a ruling rests on, as one document. The same facts give the same ruling on any machine, years later.

A facts file is not signed, and a person may write it by hand. Fields that are not known here are ignored. So is
everything dated later than the file's `now` (see `question`).
"""

from __future__ import annotations

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, StrictBool, ValidationError, model_validator

from daemon.model import strict_json
from daemon.model.errors import ConfigurationError, MalformedError
from daemon.model.parse import explain
from daemon.model.statements import Force, Purpose
from daemon.model.times import format_instant, parse_instant
from daemon.model.types import Document, Id

_LIMIT = 4 * 1024 * 1024


def _moment(value: object) -> datetime:
    """Reads any RFC 3339 time with an offset. Milliseconds may be left out: people write facts by hand."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("expected a time like 2023-11-29T21:45:02.120Z") from None
    return parse_instant(value)


def _role(value: object) -> object:
    """Reads `Internal-Affairs` as internal_affairs: a role must not lose its effect because of its spelling."""
    if isinstance(value, str):
        return value.strip().lower().replace("-", "_").replace(" ", "_")
    return value


Moment = Annotated[datetime, BeforeValidator(_moment), PlainSerializer(format_instant, return_type=str)]
"""A time in a facts file, timezone-aware."""
RoleName = Annotated[Id, BeforeValidator(_role)]
"""A role in a facts file, in the spelling of the rules."""


class ClipFacts(Document):
    """The clip that somebody wants to view. `officer_id` is who wore the camera."""

    clip_id: Id
    officer_id: Id
    incident_id: Id | None = None
    started_at: Moment


class IncidentFacts(Document):
    """How the incident is classified. `involved` and `witnesses` are officers. Deadlines count from `occurred_at`."""

    incident_id: Id
    force: Force | Literal["unclassified"]
    in_custody_death: StrictBool = False
    involved: tuple[Id, ...] = ()
    witnesses: tuple[Id, ...] = ()
    occurred_at: Moment | None = None


class StatementFacts(Document):
    """A statement that an officer gave to a supervisor or to internal affairs."""

    officer_id: Id
    to: Literal["supervisor", "internal_affairs"]
    form: Literal["unrecorded", "audio", "video"]
    given_at: Moment


class ReportFacts(Document):
    """An officer's written report."""

    officer_id: Id
    filed_at: Moment


class AuthorizationFacts(Document):
    """The chief, named in `by`, lets a person view for some purposes until `expires_at`. Never valid for oneself."""

    person_id: Id
    purposes: tuple[Purpose | Literal["disposal"], ...]
    issued_at: Moment | None = None
    expires_at: Moment
    by: Id


class HoldFacts(Document):
    """A legal hold in force. In a facts file it can be written as its id alone."""

    hold_id: Id
    at: Moment | None = None

    @model_validator(mode="before")
    @classmethod
    def _id_alone(cls, value: Any) -> Any:
        return {"hold_id": value} if isinstance(value, str) else value


class ViewerFacts(Document):
    """Who asks. A role that the rules do not know has no effect."""

    person_id: Id
    roles: tuple[RoleName, ...] = ()


class Facts(Document):
    """Everything known at `now` about one clip in one incident, and about one person who asks to view it.

    Without `incident`, there was no force. But if the clip names an incident, nobody has classified that one yet.
    """

    now: Moment
    clip: ClipFacts
    incident: IncidentFacts | None = None
    statements: tuple[StatementFacts, ...] = ()
    reports: tuple[ReportFacts, ...] = ()
    authorizations: tuple[AuthorizationFacts, ...] = ()
    holds: tuple[HoldFacts, ...] = Field(default=())
    viewer: ViewerFacts
    purpose: Purpose

    @model_validator(mode="after")
    def _about_one_incident(self) -> Self:
        if self.incident and self.clip.incident_id not in (None, self.incident.incident_id):
            raise ValueError("clip.incident_id and incident.incident_id name different incidents")
        return self


def load_facts(path: Path) -> Facts:
    """Reads the facts in a file: TOML when its name ends in `.toml`, otherwise JSON.

    Raises ConfigurationError, which names the file and every field that is wrong.
    """
    try:
        return Facts.model_validate(_read(path))
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {explain(error)}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror or error})") from None
    if path.suffix.lower() != ".toml":
        try:
            return strict_json.parse_object(data, what=str(path), limit=_LIMIT)
        except MalformedError as error:
            raise ConfigurationError(str(error)) from None
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not valid TOML ({error})") from None
