"""`--suppose FILE`: words that nobody has given, read from a file like those of `bwc attest --from`."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from daemon.cli.attest.facts import facts_of, tables_of
from daemon.model import statements as st
from daemon.model.errors import ConfigurationError
from daemon.model.zones import AgencyZone

_KINDS = {kind: st.KINDS[kind] for kind in get_args(st.DecidingKind)}


def supposed_in(path: Path, zone: AgencyZone) -> tuple[st.Supposed, ...]:
    """The words in a TOML file with one `[[<kind>]]` table each, or in a JSON object of lists by kind.

    Each says `by` whom it would be given.

    Raises ConfigurationError, naming the file and the entry.
    """
    found: list[st.Supposed] = []
    for name, entries in tables_of(path).items():
        if name not in _KINDS or not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
            raise ConfigurationError(f"{path}: {name}: expected lists of {', '.join(_KINDS)}")
        for entry in entries:
            by = entry.pop("by", None)
            if not isinstance(by, str):
                raise ConfigurationError(f"{path}: a {name} does not say by whom", hint='by = "41001"')
            [fact] = facts_of(_KINDS[name], [entry], zone)
            found.append(st.Supposed(by=by, kind=name, statement=fact.statement.plain()))  # type: ignore[arg-type]
    if not found:
        raise ConfigurationError(f"{path}: it supposes nothing")
    return tuple(found)
