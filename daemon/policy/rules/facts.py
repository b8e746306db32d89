"""The facts that a ruling rests on, as one document. The same facts give the same ruling on any machine, years later.

A facts file is not signed, and a person may write it by hand: a field or a role that is not known here is refused, with
the closest that is. Everything dated later than the file's `now` is ignored (see `question`).
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, Field, PlainSerializer, StrictBool, ValidationError, model_validator

from daemon.model import strict_json
from daemon.model.errors import ConfigurationError, MalformedError
from daemon.model.parse import explain
from daemon.model.statements import CourtOrder, Force, Purpose, Role
from daemon.model.times import format_instant, parse_instant
from daemon.model.types import DispatchId, Document, Id

_LIMIT = 4 * 1024 * 1024


def _moment(value: object) -> datetime:
    """Reads any RFC 3339 time with an offset. Milliseconds may be left out: people write facts by hand."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("expected a time like 2023-11-29T21:45:02.120Z") from None
    return parse_instant(value)


def _one_or_more(value: object) -> object:
    """`by` may be one person's id, or a list of them."""
    return [value] if isinstance(value, str) else value


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
    incident_id: DispatchId | None = None
    started_at: Moment


class IncidentFacts(Document):
    """How the incident is classified. `involved` and `witnesses` are officers. Deadlines count from `occurred_at`.

    Without `incident_id` it is the clip that is classified, by itself. `claimed`: those of the involved whom only
    somebody conflicted calls so. Their gates count as any other's; they may not view for it. `declared`: nobody has
    classified it, but the wearer has declared that no force was used.
    """

    incident_id: DispatchId | None = None
    force: Force | Literal["unclassified"]
    in_custody_death: StrictBool = False
    declared: StrictBool = False
    involved: tuple[Id, ...] = ()
    claimed: tuple[Id, ...] = ()
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
    """Those named in `by` let a person view for some purposes until `expires_at`. Never valid for oneself.

    To view: the chief alone. For `court` and `disclosure` it names the court's order, and two people signed it.
    """

    person_id: Id
    purposes: tuple[Purpose | Literal["disposal"], ...]
    issued_at: Moment | None = None
    expires_at: Moment
    court_order: CourtOrder | None = None
    by: Annotated[tuple[Id, ...], BeforeValidator(_one_or_more), Field(min_length=1)]


class HoldFacts(Document):
    """A legal hold in force. In a facts file it can be written as its id alone."""

    hold_id: Id
    at: Moment | None = None

    @model_validator(mode="before")
    @classmethod
    def _id_alone(cls, value: Any) -> Any:
        return {"hold_id": value} if isinstance(value, str) else value


class ViewerFacts(Document):
    """Who asks."""

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
    found = _read(path)
    _refuse_unknown(path, found, Facts, "")
    try:
        facts = Facts.model_validate(found)
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {explain(error)}") from None
    for role in facts.viewer.roles:
        if role not in get_args(Role):
            raise ConfigurationError(
                f"{path}: viewer.roles: no such role {role!r}", hint=_closest(role, get_args(Role))
            )
    return facts


def _refuse_unknown(path: Path, found: object, kind: type[BaseModel], where: str) -> None:
    """Raises ConfigurationError for the first key that a facts document does not have: a fact must not go unseen."""
    if isinstance(found, list):
        for number, one in enumerate(found, 1):
            _refuse_unknown(path, one, kind, f"{where}{number}.")
    if not isinstance(found, dict):
        return
    for key, value in found.items():
        if key not in kind.model_fields:
            raise ConfigurationError(
                f"{path}: {where}{key}: no such field in a facts file", hint=_closest(key, kind.model_fields)
            )
        inner = _document_in(kind.model_fields[key].annotation)
        if inner is not None:
            _refuse_unknown(path, value, inner, f"{where}{key}.")


def _document_in(annotation: Any) -> type[BaseModel] | None:
    """The document that a field holds: itself, optional, or many."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((inner for one in get_args(annotation) if (inner := _document_in(one)) is not None), None)


def _closest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"is {close[0]} meant?" if close else "known are " + ", ".join(known)


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
