"""Editing an administrator's TOML: comments and everything they wrote stay as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from daemon.model.errors import ConfigurationError

_MARK = "@commented out@"


def fill(text: str, values: Mapping[str, str | None]) -> str:
    """Gives keys (`key`, or `section.key`) other texts as values; None comments the line out.

    Raises ConfigurationError for a key that `text` does not have.
    """
    document = _parse(text)
    missing, commented = [], {}
    for number, (name, value) in enumerate(sorted(values.items())):
        section, _, key = name.rpartition(".")
        table = document.get(section, {}) if section else document
        if key not in table:
            missing.append(name)
        elif value is None:
            mark = _quoted(f"{_MARK}{number}")
            commented[f"{key} = {mark}"] = f"# {key} = {table[key].as_string()}"
            table[key] = _value(f"{_MARK}{number}")
        else:
            table[key] = _value(value)
    if missing:
        raise ConfigurationError(f"the example has no {', '.join(missing)}")
    filled = tomlkit.dumps(document)
    for line, comment in commented.items():
        filled = filled.replace(line, comment)
    return filled


def new_trust(dock_id: str, *, recovery: bool) -> str:
    """An agency's `trust.toml` with a dock and the policy service, and nobody else yet."""
    services = {"policy": {use: f"keys/policy.{use}.pub.pem" for use in ("sign", "open")}}
    if recovery:
        services["recovery"] = {"open": "keys/recovery.open.pub.pem"}
    content = {
        "version": 1,
        "cameras": {},
        "docks": {dock_id: f"keys/{dock_id}.sign.pub.pem"},
        "services": services,
    }
    return (
        "# Who is enrolled. The agency signs it with its root key, kept offline. `bwc setup` adds to it, and raises\n"
        "# the version; edit it by hand for anything else, then run `bwc setup` again to have it signed.\n\n"
    ) + tomlkit.dumps(content)


def enrol_cameras(text: str, serials: Iterable[str]) -> str:
    """Adds cameras to a trust file. Raises ConfigurationError when it has no [cameras]."""
    document = _parse(text)
    cameras = document.get("cameras")
    if cameras is None:
        raise ConfigurationError("the trust file has no [cameras]", hint="add a line that says just that")
    for serial in serials:
        cameras[serial] = _value(f"keys/{serial}.sign.pub.pem")
    return tomlkit.dumps(document)


def enrol_person(text: str, person_id: str, name: str, roles: Iterable[str]) -> str:
    """Adds a person to a trust file, at its end."""
    person = {
        "name": name,
        "roles": list(roles),
        "sign": f"keys/{person_id}.sign.pub.pem",
        "open": f"keys/{person_id}.open.pub.pem",
    }
    added = tomlkit.dumps({"people": {person_id: {key: _value(value) for key, value in person.items()}}})
    return f"{text}\n{added}"


def raise_version(text: str, version: int) -> str:
    """The trust file with this version. Raises ConfigurationError when it has none."""
    document = _parse(text)
    if "version" not in document:
        raise ConfigurationError("the trust file has no version", hint="add: version = 1")
    document["version"] = version
    return tomlkit.dumps(document)


def _parse(text: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise ConfigurationError(f"not valid TOML: {error}") from None


def _value(value: Any) -> Any:
    return tomlkit.string(value) if isinstance(value, str) else value


def _quoted(text: str) -> str:
    return tomlkit.string(text).as_string()
