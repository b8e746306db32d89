"""The fields of an EIDO document: times, names, references, lists. Whatever stands there, an EidoError at worst."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from daemon.model.errors import VerificationError
from daemon.model.times import truncate
from daemon.model.types import check_dispatch_id

MAX_COMPONENTS = 1000
"""The most entries in any one list of a document."""
_LONGEST = 1000
"""What is read of an identifier, in characters."""
_STAMPS = ("lastUpdateTimestamp", "LastUpdateTimeStamp")
_FINER = re.compile(r"(?<=[.,]\d{6})\d+")
_UID = "urn:emergency:uid:"
_TRACKING = f"{_UID}incidentid:"

Component = Mapping[str, Any]


class EidoError(VerificationError):
    """Something cannot be used; the message names the field. To be set aside, and the rest handled."""


@lru_cache(maxsize=4096)
def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(_FINER.sub("", text.strip().upper()))
    if at.tzinfo is None:
        raise ValueError(f"{text[:64]} has no offset from UTC")
    return truncate(at)


def instant(text: object) -> datetime:
    """An ISO 8601 time with an offset or `Z`, in UTC to the millisecond. Raises ValueError for anything else."""
    if not isinstance(text, str) or len(text) > _LONGEST or not text.isascii():
        raise ValueError("expected a time with its offset, like 2023-11-29T13:45:02.120-08:00")
    return _instant(text)


def time_of(component: Component, where: str) -> datetime:
    """When a component was last changed. Raises EidoError."""
    try:
        return instant(stamp(component))
    except ValueError as error:
        raise EidoError(f"{where}lastUpdateTimeStamp: {error}") from None


def time_said(part: object) -> datetime | None:
    """When a part that cannot be used was last changed, where it says so."""
    try:
        return time_of(part, "") if isinstance(part, dict) else None
    except EidoError:
        return None


def stamp(component: Component) -> object:
    """`lastUpdateTimeStamp`; drafts of the standard and some libraries spell it otherwise."""
    found = component.get("lastUpdateTimeStamp")
    if found is None:
        found = next((component[name] for name in _STAMPS if component.get(name) is not None), None)
    return found


def components(document: Component, name: str, aside: list[str]) -> Iterator[tuple[Component, str]]:
    """Each entry with the prefix that names its fields; what is no object goes to `aside`."""
    for number, component in enumerate(listed(document.get(name), name)):
        if isinstance(component, dict):
            yield component, f"{name}[{number}]."
        else:
            aside.append(f"{name}[{number}]: expected an object")


def no_objects(document: Component, *names: str) -> list[object]:
    """What stands where these have an entry, and is no object."""
    entries = (entry for name in names for entry in listed(document.get(name), name))
    return [entry for entry in entries if not isinstance(entry, dict)]


def listed(value: object, where: str) -> list[Any]:
    """A list, where the standard has one; a single value will do. Raises EidoError when it is too long."""
    if value is None:
        return []
    found = value if isinstance(value, list) else [value]
    if len(found) > MAX_COMPONENTS:
        raise EidoError(f"{where}: {len(found)} entries, more than the {MAX_COMPONENTS} allowed")
    return found


def text_of(value: object) -> str:
    """Text without the space around it; empty where there is none."""
    return value.strip()[:_LONGEST] if isinstance(value, str) else ""


def reference(value: object) -> str:
    """What a reference names: `{"$ref": …}`, or the text alone. Some write it as a fragment (`#…`)."""
    return text_of(value.get("$ref") if isinstance(value, dict) else value).removeprefix("#")


def local_name(text: str) -> str:
    """What a component is called at its agency: `711` of `711@police.example` and of
    `urn:emergency:uid:resourceid:711:police.example`. Any other URN is a name as it stands.
    """
    lowered = text[: len(_UID)].lower()
    if lowered == _UID:
        _, _, rest = text[len(_UID) :].partition(":")
        return rest.partition(":")[0].partition("@")[0].strip() or text
    return text if lowered.startswith("urn:") else text.partition("@")[0].strip()


def name_in(value: object, where: str) -> str:
    """The name in an `$id` or a reference. Raises EidoError for one that cannot be an id."""
    try:
        return _name(reference(value))
    except ValueError as error:
        raise EidoError(f"{where}: {error}") from None


@lru_cache(maxsize=4096)
def _name(text: str) -> str:
    return check_dispatch_id(local_name(text))


def checked(text: str, where: str) -> str:
    """An id as it stands. Raises EidoError."""
    try:
        return check_dispatch_id(text)
    except ValueError as error:
        raise EidoError(f"{where}: {error}") from None


def tracking_text(value: object) -> str:
    """An incident's identifier as it is written, but for the prefix, whose case is free (RFC 8141 section 3.1)."""
    text = text_of(value)
    return _TRACKING + text[len(_TRACKING) :] if text[: len(_TRACKING)].lower() == _TRACKING else text


def tracking_id(component: Component) -> str | None:
    """The Incident Tracking Identifier (`urn:emergency:uid:incidentid:…`) that a header or an incident's component has.

    Its `$id`, or where drafts of the standard had it.
    """
    for name in ("$id", "incidentTrackingIdentifier"):
        text = tracking_text(component.get(name))
        if text.startswith(_TRACKING) and len(text) > len(_TRACKING):
            return text
    return None
