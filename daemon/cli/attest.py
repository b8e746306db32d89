"""`bwc attest`: people say what happened, under their own signature. One command a kind, made from its fields."""

from __future__ import annotations

import tomllib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args, get_origin

import click
from pydantic import ValidationError

from daemon.cli.shared.output import print_json
from daemon.cli.shared.person import Caller, as_person
from daemon.link.session import Session
from daemon.model import statements as st
from daemon.model import strict_json
from daemon.model.documents import Answer
from daemon.model.errors import BwcError, ConfigurationError, MalformedError, UnavailableError
from daemon.model.parse import explain, parse_model
from daemon.model.times import format_instant
from daemon.seal import envelope as envelopes

_NOW = {"classified_at", "given_at", "filed_at", "issued_at", "at"}
_FRESH = {"authorization_id", "hold_id"}
_EXAMPLES = {
    "classification": "--incident-id 23-310001 --force serious --involved 51234 --occurred-at 2023-11-29T20:10:00.000Z",
    "statement": "--incident-id 23-310001 --officer-id 51234 --to supervisor --form unrecorded",
    "report": "--incident-id 23-310001 --officer-id 51234",
    "authorization": "--person-id 41001 --clip-id ID --purposes training --expires-at 2023-12-29T12:00:00.000Z",
    "hold": '--incident-id 23-310001 --state placed --reason "civil suit 23-1187"',
    "correction": '--clip-id ID --officer-id 51234 --reason "pool camera, worn by Lee that night"',
    "withdrawal": '--attestation-sha256 DIGEST --reason "wrong incident"',
}
"""What each looks like, without who says it: that is in BWC_PERSON, BWC_KEYS, BWC_BROKER, BWC_AGENCY."""
KEPT_SECONDS = 30 * 24 * 3600
"""How long an attestation stays retained: a policy service restored from a backup hears it again."""


class RefusedError(BwcError):
    """The policy service did not accept an attestation."""


@click.group()
def attest() -> None:
    """Attest a fact: signed with your key, answered by the policy service.

    \b
    Example:  bwc attest statement --incident-id 23-310001 --officer-id 51234
                --to internal_affairs --form audio --recording-sha256 …
    Many at once:  bwc attest classification --from incidents.toml
    """


def sign_and_publish(person: Caller, payloads: list[dict[str, Any]], kind: type[st.Statement]) -> list[str]:
    """Signs and publishes each; returns their digests once all are accepted.

    Raises ConfigurationError for a payload that does not fit, RefusedError with the policy service's reason,
    UnavailableError when no answer came.
    """
    key = person.sign_key
    signed = [envelopes.sign(_validated(kind, payload, number), key) for number, payload in enumerate(payloads, 1)]
    with Session(person.broker, (person.topics.answer(person.person_id, "+"),)) as session:
        for envelope in signed:
            topic = person.topics.attestation(person.person_id, kind.kind, envelope.digest)
            session.publish(topic, envelope.to_bytes(), retain=True, keep_seconds=KEPT_SECONDS)
            _await_answer(session, person, envelope.digest)
    return [envelope.digest for envelope in signed]


def _await_answer(session: Session, person: Caller, digest: str, seconds: float = 15.0) -> None:
    topic = person.topics.answer(person.person_id, digest)
    message = session.wait(lambda received: received.topic == topic, seconds)
    if message is None:
        raise UnavailableError(
            f"published, but the policy service did not answer within {seconds:g} s",
            hint="it stays published and will be decided when the service is back",
        )
    answer = parse_model(Answer, message.payload, what="answer")
    if not answer.accepted:
        raise RefusedError(f"not accepted: {answer.reason}")


def _validated(kind: type[st.Statement], payload: dict[str, Any], number: int) -> st.Statement:
    values = {name: value for name, value in payload.items() if value is not None and value != ()}
    fields = kind.model_fields
    now = format_instant(datetime.now(UTC))
    values |= {name: now for name in _NOW & fields.keys() if name not in values}
    values |= {name: str(uuid.uuid4()) for name in _FRESH & fields.keys() if name not in values}
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(f"{kind.kind} {number}: {explain(error)}") from None


def _from_file(path: Path, kind: str) -> list[dict[str, Any]]:
    """A JSON array, or a TOML file with `[[<kind>]]` tables."""
    try:
        data = path.read_bytes()
        found: Any
        if path.suffix.lower() == ".toml":
            found = tomllib.loads(data.decode("utf-8")).get(kind)
        else:
            found = strict_json.parse(data, what=str(path), limit=64 << 20)
    except OSError as error:
        raise ConfigurationError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    except (ValueError, MalformedError) as error:
        raise ConfigurationError(f"{path}: {error}") from None
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise ConfigurationError(f"{path}: expected a list of {kind}s", hint=f"in TOML, one [[{kind}]] table each")
    return found


def _options(kind: type[st.Statement]) -> Iterator[click.Option]:
    for name, field in kind.model_fields.items():
        flag = f"--{name.replace('_', '-')}"
        annotation = field.annotation
        many = get_origin(annotation) is tuple
        choices = [value for value in _literals(annotation) if isinstance(value, str)]
        if annotation is bool or bool in get_args(annotation):
            yield click.Option([f"{flag}/--not-{flag[2:]}", name], default=None)
        elif choices:
            yield click.Option([flag, name], type=click.Choice(choices), multiple=many)
        else:
            text = "time, now by default" if name in _NOW else "made by default" if name in _FRESH else None
            yield click.Option([flag, name], multiple=many, help=text)


def _literals(annotation: Any) -> Iterator[Any]:
    for inner in get_args(annotation):
        yield inner
        yield from _literals(inner)


def _command(kind: type[st.Statement]) -> click.Command:
    @as_person
    def run(person: Caller, source: Path | None, as_json: bool, **values: Any) -> None:
        if kind is st.Classification:
            values["in_custody_death"] = bool(values["in_custody_death"])
        payloads = _from_file(source, kind.kind) if source else [values]
        digests = sign_and_publish(person, payloads, kind)
        if as_json:
            print_json({"accepted": digests})
        else:
            click.echo(f"accepted: {len(digests)} {kind.kind}{'s' if len(digests) != 1 else ''}")

    words = f"Attest: {kind.kind}. Fields as options, or many with --from FILE."
    example = f"\b\nExample:\n  bwc attest {kind.kind} {_EXAMPLES[kind.kind]}"
    command = click.command(kind.kind, help=f"{words}\n\n{example}", short_help=_short(kind))(run)
    command.params = [
        *_options(kind),
        click.Option(["--from", "source"], type=click.Path(path_type=Path), help="A JSON or TOML file of many."),
        click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document."),
        *command.params,
    ]
    return command


def _short(kind: type[st.Statement]) -> str:
    return (kind.__doc__ or f"A {kind.kind}.").strip().splitlines()[0].rstrip(".")


for _kind in st.FACTS:
    attest.add_command(_command(_kind))
