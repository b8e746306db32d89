"""Editing TOML as text, so that comments and everything an administrator wrote stay as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from daemon.model.errors import ConfigurationError

_SECTION = re.compile(r"^\[([^\[\]]+)\]\s*(#.*)?$")
_LINE = re.compile(r"""^(?P<key>[A-Za-z0-9_-]+)\s*=\s*(?P<value>"[^"]*"|[^#"]*?)(?P<rest>\s*#.*|\s*)$""")


def fill(text: str, values: Mapping[str, str | None]) -> str:
    """Gives keys (`key`, or `section.key`) other texts as values; None comments the line out.

    Raises ConfigurationError for a key that `text` does not have.
    """
    left, section, lines = dict(values), "", []
    for line in text.splitlines():
        heading = _SECTION.match(line)
        if heading:
            section = f"{heading[1]}."
        found = _LINE.match(line)
        name = f"{section}{found['key']}" if found else ""
        if found and name in left:
            value = left.pop(name)
            width = len(line) - len(found["rest"])
            new = f"# {line}" if value is None else f"{found['key']} = {json.dumps(value)}".ljust(width) + found["rest"]
            lines.append(new.rstrip())
        else:
            lines.append(line)
    if left:
        raise ConfigurationError(f"the example has no {', '.join(sorted(left))}")
    return "\n".join(lines) + "\n"


def new_trust(dock_id: str, *, recovery: bool) -> str:
    """An agency's `trust.toml` with a dock and the policy service, and nobody else yet."""
    lines = [
        "# Who is enrolled. The agency signs it with its root key, kept offline. `bwc setup` adds to it, and raises",
        "# the version; edit it by hand for anything else, then run `bwc setup` again to have it signed.",
        "",
        "version = 1",
        "",
        "[cameras]",
        "",
        "[docks]",
        f'{_quoted(dock_id)} = "keys/{dock_id}.sign.pub.pem"',
        "",
        "[services.policy]",
        'sign = "keys/policy.sign.pub.pem"',
        'open = "keys/policy.open.pub.pem"',
    ]
    if recovery:
        lines += ["", "[services.recovery]", 'open = "keys/recovery.open.pub.pem"']
    return "\n".join(lines) + "\n"


def enrol_cameras(text: str, serials: Iterable[str]) -> str:
    """Adds cameras to a trust file. Raises ConfigurationError when it has no [cameras]."""
    added = [f'{_quoted(serial)} = "keys/{serial}.sign.pub.pem"' for serial in serials]
    if not added:
        return text
    lines = text.splitlines()
    for number, line in enumerate(lines):
        heading = _SECTION.match(line)
        if heading and heading[1].strip() == "cameras":
            lines[number + 1 : number + 1] = added
            return "\n".join(lines) + "\n"
    raise ConfigurationError("the trust file has no [cameras]", hint="add a line that says just that")


def enrol_person(text: str, person_id: str, name: str, roles: Iterable[str]) -> str:
    """Adds a person to a trust file, at its end."""
    lines = [
        "",
        f"[people.{_quoted(person_id)}]",
        f"name = {json.dumps(name, ensure_ascii=False)}",
        f"roles = {json.dumps(list(roles))}",
        f'sign = "keys/{person_id}.sign.pub.pem"',
        f'open = "keys/{person_id}.open.pub.pem"',
    ]
    return text + "\n".join(lines) + "\n"


def raise_version(text: str, version: int) -> str:
    """The trust file with this version. Raises ConfigurationError when it has none."""
    new, times = re.subn(r"(?m)^version\s*=\s*\d+", f"version = {version}", text, count=1)
    if not times:
        raise ConfigurationError("the trust file has no version", hint="add: version = 1")
    return new


def _quoted(name: str) -> str:
    return json.dumps(name)
