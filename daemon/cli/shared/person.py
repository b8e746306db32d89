"""Options of the commands that people use: who they are, where their keys lie, how to reach the broker."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from daemon.model.config import Broker
from daemon.model.errors import ConfigurationError
from daemon.model.topics import Topics
from daemon.model.types import check_id
from daemon.seal.keys import OpenKey, SignKey
from daemon.seal.private_keys import load_open_key, load_sign_key


@dataclass(frozen=True)
class Caller:
    """Whoever runs the command."""

    person_id: str
    keys: Path
    broker: Broker
    topics: Topics

    @property
    def sign_key(self) -> SignKey:
        """What this person signs with. Raises ConfigurationError."""
        return load_sign_key(self.keys / f"{self.person_id}.sign.pem")

    @property
    def open_key(self) -> OpenKey:
        """What this person opens with. Raises ConfigurationError."""
        return load_open_key(self.keys / f"{self.person_id}.open.pem")


_BROKER = (
    click.option("--broker", envvar="BWC_BROKER", required=True, help="mqtt://host:port or mqtts://host:port."),
    click.option("--agency", envvar="BWC_AGENCY", required=True, help="The agency's id in MQTT topics."),
    click.option("--ca", envvar="BWC_CA", type=click.Path(path_type=Path), help="TLS: certificate authority."),
    click.option("--cert", envvar="BWC_CERT", type=click.Path(path_type=Path), help="TLS: client certificate."),
    click.option("--tls-key", envvar="BWC_TLS_KEY", type=click.Path(path_type=Path), help="TLS: its private key."),
    click.option("--username", envvar="BWC_USERNAME", help="Your name on the broker, where it asks for one."),
    click.option(
        "--password-file",
        envvar="BWC_PASSWORD_FILE",
        type=click.Path(path_type=Path),
        help="A file with your password on the broker.",
    ),
)
_PERSON = (
    click.option("--as", "as_id", envvar="BWC_PERSON", required=True, help="Your person id."),
    click.option(
        "--keys",
        envvar="BWC_KEYS",
        type=click.Path(path_type=Path),
        default=Path(),
        help="Directory with <person>.sign.pem and <person>.open.pem.",
    ),
)


def as_client(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that reach a broker, and passes `broker: Broker` and `agency: str` to the command."""

    @functools.wraps(command)
    def wrapper(
        *args: Any,
        broker: str,
        agency: str,
        ca: Path | None,
        cert: Path | None,
        tls_key: Path | None,
        username: str | None,
        password_file: Path | None,
        **others: Any,
    ) -> Any:
        _check_id("--agency", agency)
        shown = Broker(url=broker, ca=ca, certificate=cert, key=tls_key, username=username, password_file=password_file)
        return command(*args, broker=shown, agency=agency, **others)

    for option in reversed(_BROKER):
        wrapper = option(wrapper)
    return wrapper


def as_person(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds those, and who it is; passes `person: Person` to the command."""

    @functools.wraps(command)
    def wrapper(*args: Any, broker: Broker, agency: str, as_id: str, keys: Path, **others: Any) -> Any:
        _check_id("--as", as_id)
        return command(*args, person=Caller(as_id, keys, broker, Topics(agency)), **others)

    whole: Callable[..., Any] = as_client(wrapper)
    for option in reversed(_PERSON):
        whole = option(whole)
    return whole


def _check_id(option: str, value: str) -> None:
    try:
        check_id(value)
    except ValueError as error:
        raise ConfigurationError(f"{option} {value!r}: {error}") from None
