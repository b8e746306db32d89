"""What is to be attested: read from options or a file, times as people type them, made into statements."""

from __future__ import annotations

import tomllib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from daemon.cli.shared.typed_times import typed_day, typed_instant
from daemon.model import statements as st
from daemon.model import strict_json
from daemon.model.errors import ConfigurationError, MalformedError
from daemon.model.parse import explain
from daemon.model.times import format_instant
from daemon.model.zones import AgencyZone

S = TypeVar("S", bound=st.Statement)
NOW = frozenset({"classified_at", "given_at", "filed_at", "issued_at", "declared_at", "at"})
"""Times that are now where nobody gives them."""
FRESH = frozenset({"authorization_id", "hold_id"})
"""Ids that are made where nobody gives them."""
_LARGEST = 64 << 20


@dataclass(frozen=True)
class Fact:
    """A statement to be signed. `where` names it in messages; `given` are the fields that somebody typed."""

    statement: st.Statement
    where: str
    given: frozenset[str] = frozenset()


def facts_of(kind: type[st.Statement], payloads: list[dict[str, Any]], zone: AgencyZone) -> list[Fact]:
    """Each payload as a fact. Raises ConfigurationError for what does not fit."""
    found = []
    for number, payload in enumerate(payloads, 1):
        where = kind.kind if len(payloads) == 1 else f"{kind.kind} {number}"
        values = {name: value for name, value in payload.items() if value is not None and value != ()}
        for name in time_fields(kind) & values.keys():
            values[name] = _instant(values[name], zone, f"{where}: {name}")
        if isinstance(order := values.get("court_order"), dict) and "dated" in order:
            values["court_order"] = order | {"dated": _day(order["dated"], zone, f"{where}: court_order.dated")}
        found.append(Fact(validated(kind, values, where), where, frozenset(values)))
    return found


def validated(kind: type[S], values: dict[str, Any], where: str) -> S:
    """A statement of these values; times are now and ids fresh where they are missing. Raises ConfigurationError."""
    fields = kind.model_fields.keys()
    now = format_instant(datetime.now(UTC))
    whole = dict.fromkeys(NOW & fields, now) | {name: str(uuid.uuid4()) for name in FRESH & fields} | values
    try:
        return kind.model_validate(whole)
    except ValidationError as error:
        raise ConfigurationError(f"{where}: {explain(error)}") from None


def time_fields(kind: type[st.Statement]) -> frozenset[str]:
    """The fields of a kind that hold an instant."""
    found = ((name, field.annotation) for name, field in kind.model_fields.items())
    return frozenset(name for name, held in found if held is datetime or datetime in get_args(held))


def from_file(path: Path, kind: str) -> list[dict[str, Any]]:
    """A JSON array, or a TOML file with `[[<kind>]]` tables. Raises ConfigurationError."""
    found = _parsed(path)
    if isinstance(found, dict) and path.suffix.lower() == ".toml":
        found = found.get(kind)
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise ConfigurationError(f"{path}: expected a list of {kind}s", hint=f"in TOML, one [[{kind}]] table each")
    return found


def tables_of(path: Path) -> dict[str, Any]:
    """A TOML file, or a JSON object. Raises ConfigurationError."""
    found = _parsed(path)
    if not isinstance(found, dict):
        raise ConfigurationError(f"{path}: expected an object of lists by kind")
    return found


def people_of(statement: st.Statement) -> Iterable[str]:
    """Everybody whom a statement names, in its order."""
    for name in ("involved", "witnesses", "officer_id", "person_id"):
        value = getattr(statement, name, None) or ()
        yield from (value,) if isinstance(value, str) else value


def clips_of(statement: st.Statement) -> tuple[str, ...]:
    """The clips that a statement names."""
    one: str | None = getattr(statement, "clip_id", None)
    many: tuple[str, ...] = getattr(statement, "clip_ids", ())
    return (*((one,) if one else ()), *many)


def incident_of(statement: st.Statement) -> str | None:
    """The incident that a statement names."""
    named: str | None = getattr(statement, "incident_id", None)
    return named


def _parsed(path: Path) -> Any:
    try:
        data = _read(path)
        if path.suffix.lower() == ".toml":
            return tomllib.loads(data.decode("utf-8"))
        return strict_json.parse(data, what=str(path), limit=_LARGEST)
    except OSError as error:
        raise ConfigurationError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    except MalformedError as error:
        raise ConfigurationError(str(error)) from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError(f"larger than {_LARGEST >> 20} MiB")
    return data


def _instant(value: Any, zone: AgencyZone, where: str) -> Any:
    """Text as people type it, or TOML's own local time, in UTC. Anything else is left for the model to refuse."""
    try:
        if isinstance(value, str):
            return typed_instant(value, zone)
        if isinstance(value, datetime) and value.tzinfo is None:
            return zone.instant(value)
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from None
    return value


def _day(value: Any, zone: AgencyZone, where: str) -> Any:
    """A day as people type it, or TOML's own, as the moment it began; or any time that `_instant` takes."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = value.isoformat()
    try:
        return typed_day(value, zone) if isinstance(value, str) else _instant(value, zone, where)
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from None
