"""Who is enrolled, for names in words and for whom somebody may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from daemon.model.errors import ConfigurationError
from daemon.seal.keys import load_sign_public
from daemon.seal.trust import load_trust


@dataclass(frozen=True)
class People:
    """Everybody in the agency's trust file, by id."""

    names: Mapping[str, str]

    def __contains__(self, person_id: str) -> bool:
        return person_id in self.names

    def shown(self, person_id: str) -> str:
        """`51234 (Officer Lee)`, or the id alone of somebody unknown."""
        name = self.names.get(person_id)
        return f"{person_id} ({name})" if name else person_id

    def closest(self, typed: str) -> list[str]:
        """Whom it may mean, as `shown`: by id, by name, or by one word of a name."""
        known: dict[str, list[str]] = {}
        for person_id, name in self.names.items():
            for word in {person_id.casefold(), name.casefold(), *name.casefold().split()}:
                known.setdefault(word, []).append(person_id)
        close = difflib.get_close_matches(typed.casefold(), known, n=3)
        return [self.shown(person) for person in dict.fromkeys(one for word in close for one in known[word])][:3]


NOBODY = People({})


def with_people(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --trust and --root to a command."""
    for option in (
        click.option("--root", envvar="BWC_ROOT", type=click.Path(path_type=Path), help="Its root.sign.pub.pem."),
        click.option(
            "--trust",
            envvar="BWC_TRUST",
            type=click.Path(path_type=Path),
            help="The agency's trust file, to check whom you name; with --root.",
        ),
    ):
        command = option(command)
    return command


def enrolled(trust: Path | None, root: Path | None) -> People | None:
    """Who is enrolled; None when neither file is given. Raises ConfigurationError."""
    if trust is None and root is None:
        return None
    if trust is None or root is None:
        raise ConfigurationError(f"{'--root' if trust is None else '--trust'} alone checks nobody: give both")
    people = load_trust(trust, load_sign_public(root)).statement.people
    return People({person_id: person.name for person_id, person in people.items()})
