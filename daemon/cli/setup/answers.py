"""What `bwc setup` wants to know: from options, an answers file, what is configured already, or by asking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import click
from pydantic import Field

from daemon.model.config import Broker, Section, load_config
from daemon.model.errors import ConfigurationError
from daemon.model.statements import Role
from daemon.model.types import Id, check_id

ROLES: tuple[str, ...] = get_args(Role)
RESERVED = ("root", "policy", "recovery")
"""Names of keys that are nobody's id."""


class NamedPerson(Section):
    """One person in an answers file."""

    name: str = Field(min_length=1, max_length=200)
    roles: tuple[Role, ...] = Field(min_length=1)


class AnswersFile(Section):
    """`--answers FILE`: any of them; what is missing is asked for."""

    agency: Id | None = None
    dock: Id | None = None
    broker: str | None = None
    policy_here: bool | None = None
    cameras: tuple[Id, ...] = ()
    people: dict[Id, NamedPerson] = Field(default_factory=dict)


@dataclass(frozen=True)
class Answers:
    """Everything that is known so far."""

    agency: str | None = None
    dock: str | None = None
    broker: str | None = None
    policy_here: bool | None = None
    cameras: tuple[str, ...] = ()
    people: dict[str, NamedPerson] = field(default_factory=dict)

    def over(self, other: Answers) -> Answers:
        """These, and what they leave open from `other`."""
        return Answers(
            self.agency or other.agency,
            self.dock or other.dock,
            self.broker or other.broker,
            other.policy_here if self.policy_here is None else self.policy_here,
            tuple(dict.fromkeys((*self.cameras, *other.cameras))),
            {**other.people, **self.people},
        )


def from_file(path: Path) -> Answers:
    """Raises ConfigurationError."""
    return Answers(**{name: value for name, value in load_config(AnswersFile, path)})


def parse_person(text: str) -> tuple[str, NamedPerson]:
    """`51234:officer,supervisor:Officer Lee`. Raises ConfigurationError."""
    person_id, _, rest = text.partition(":")
    roles, _, name = rest.partition(":")
    given = tuple(role.strip() for role in roles.split(",") if role.strip())
    unknown = [role for role in given if role not in ROLES]
    if not name.strip() or not given or unknown:
        what = f"no role is called {unknown[0]}" if unknown else "expected ID:ROLE[,ROLE…]:NAME"
        raise ConfigurationError(f"person {text!r}: {what}", hint=f"roles: {', '.join(ROLES)}")
    return person_id, NamedPerson.model_validate({"name": name.strip(), "roles": given})


def parse_broker(text: str) -> str:
    """`host`, `host:port` or a whole URL, as the URL. Raises ConfigurationError."""
    url = text if "://" in text else f"mqtts://{text}"
    host, port = Broker(url=url).address
    shown = f"[{host}]" if ":" in host else host
    return f"{url.partition('://')[0]}://{shown}:{port}"


def ask(known: Answers, enrolled: int) -> Answers:
    """Asks for what is not known; `enrolled` people and cameras there are already."""
    found = replace(
        known,
        agency=known.agency or _ask_id("the agency's short name, as it stands in MQTT topics (portland)"),
        dock=known.dock or _ask_id("a name for this dock (central-1)"),
        broker=known.broker or click.prompt("the MQTT broker's address (broker.example or broker.example:8883)"),
    )
    if found.policy_here is None:
        found = replace(found, policy_here=click.confirm("does the policy service run on this machine?", default=True))
    if known.people or known.cameras:
        return found
    more = " more" if enrolled else ""
    click.echo(f"people to enrol{more}: ID:ROLE[,ROLE…]:NAME, one a line, an empty line ends ({', '.join(ROLES)})")
    people = dict(parse_person(line) for line in _lines("person"))
    click.echo(f"cameras to enrol{more}: one serial a line, an empty line ends")
    return replace(found, people=people, cameras=tuple(_lines("camera")))


def complete(answers: Answers) -> Answers:
    """Nothing is open any more, and every name can be used. Raises ConfigurationError."""
    for name in ("agency", "dock", "broker"):
        if getattr(answers, name) is None:
            raise ConfigurationError(
                f"nothing says what the {name} is",
                hint=f"--{name}, {name} = … in --answers FILE, or run it in a terminal",
            )
    owners: list[Any] = [answers.dock, *answers.cameras, *answers.people]
    for what, name in (("agency", answers.agency), *(("id", owner) for owner in owners)):
        try:
            check_id(str(name))
        except ValueError as error:
            raise ConfigurationError(f"{what} {name!r}: {error}") from None
    _refuse_doubles([*RESERVED, *(str(owner) for owner in owners)])
    here = True if answers.policy_here is None else answers.policy_here
    return replace(answers, broker=parse_broker(str(answers.broker)), policy_here=here)


def _refuse_doubles(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            why = "is a name that keys of the agency's own have" if name in RESERVED else "is given to two owners"
            raise ConfigurationError(f"{name} {why}", hint="a key file is known by its owner: choose another id")
        seen.add(name)


def _ask_id(question: str) -> str:
    while True:
        text: str = click.prompt(question).strip()
        try:
            return check_id(text)
        except ValueError as error:
            click.echo(f"  {error}")


def _lines(what: str) -> list[str]:
    found: list[str] = []
    while line := click.prompt(f"  {what}", default="", show_default=False).strip():
        found.append(line)
    return found
