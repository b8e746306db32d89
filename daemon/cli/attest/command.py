"""`bwc attest`: people say what happened, under their own signature. One command a kind, made from its fields."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import click

from daemon.cli.attest.attesting import Attesting, accepted_document
from daemon.cli.attest.confirm import Shift, classify_shift
from daemon.cli.attest.facts import FRESH, NOW, facts_of, from_file, time_fields
from daemon.cli.attest.people import enrolled, with_people
from daemon.cli.attest.two_people import (
    court_options,
    refuse_unsignable,
    save_for_second,
    take_court_order,
    tell_of_second,
)
from daemon.cli.shared.options import timezone_settings
from daemon.cli.shared.output import print_json
from daemon.cli.shared.person import Caller, as_person
from daemon.model import statements as st
from daemon.model.errors import ConfigurationError
from daemon.model.zones import zone_named

_EXAMPLES = {
    "classification": [
        '--incident-id 23-310001 --force serious --involved 51234 --occurred-at "2023-11-29 12:10"',
        "--shift 2023-11-29",
    ],
    "statement": ["--incident-id 23-310001 --officer-id 51234 --to supervisor --form unrecorded"],
    "report": ["--incident-id 23-310001 --officer-id 51234"],
    "authorization": [
        '--person-id 41001 --clip-id ID --purposes training --expires-at "2023-12-29 12:00"',
        "--person-id 77001 --clip-id ID --purposes court "
        '--expires-at "2023-12-29 12:00" \\\n      --court-reference 23CV-1187 '
        '--court "Multnomah County Circuit Court" \\\n      --court-dated 2023-12-05 --court-file order.pdf'
        " --save order.json",
        "--from order.json",
        '--report-sha256 DIGEST --purposes disposal --expires-at "2023-12-29 12:00" --save order.json',
    ],
    "hold": ['--incident-id 23-310001 --state placed --reason "civil suit 23-1187"'],
    "correction": ['--clip-id ID --officer-id 51234 --reason "pool camera, worn by Lee that night"'],
    "declaration": ["--clip-id ID"],
    "label": ["--clip-id ID --category dui", '--clip-id ID --category felony --case-number "23CR-1187"'],
    "excusal": [
        "--incident-id 23-310001 --officer-id 51234 --reason equipment_failure",
        '--incident-id 23-310001 --officer-id 51234 --reason other --note "swimming rescue"',
    ],
    "withdrawal": ['--attestation-sha256 DIGEST --reason "wrong incident"'],
}
"""What each looks like, without who says it: that is in BWC_PERSON, BWC_KEYS, BWC_BROKER, BWC_AGENCY."""


@click.group()
def attest() -> None:
    """Attest a fact: checked, said in words, signed with your key, answered by the policy service.

    \b
    Example:  bwc attest statement --incident-id 23-310001 --officer-id 51234
                --to internal_affairs --form audio --recording-sha256 …
    Many at once:  bwc attest classification --from incidents.toml
                   bwc attest classification --shift 2023-11-29
    """


def _command(kind: type[st.Statement]) -> click.Command:
    @as_person
    @with_people
    def run(
        person: Caller,
        source: Path | None,
        timezone: str | None,
        trust: Path | None,
        root: Path | None,
        anyway: bool,
        as_json: bool,
        shift: str | None = None,
        yes: bool = False,
        **values: Any,
    ) -> None:
        attesting = Attesting(person, zone_named(timezone), enrolled(trust, root), anyway, as_json)
        if source is not None and (shift is not None or any(value not in (None, ()) for value in values.values())):
            raise ConfigurationError("--from has the facts: give none as options beside it")
        if kind is st.Classification:
            values["in_custody_death"] = bool(values["in_custody_death"])
        if shift is not None:
            classify_shift(attesting, Shift(shift, values, yes))
            return
        save: Path | None = values.pop("save", None)
        if kind is st.Authorization and source is None:
            values["court_order"] = take_court_order(values)
        payloads = from_file(source, kind.kind) if source is not None else [values]
        _ = person.sign_key  # a missing key is told before anything is asked of the broker
        facts = facts_of(kind, payloads, attesting.zone)
        refuse_unsignable(facts, saved=save is not None)
        known = attesting.hear(facts)
        attesting.check(facts, known)
        if save is not None:
            save_for_second(save, facts)
        attesting.sign(facts, known)
        tell_of_second(facts, save)
        if as_json:
            print_json(accepted_document(attesting.accepted))

    words = f"Attest: {kind.kind}. Fields as options, or many with --from FILE.\n\n{_CHECKED}"
    example = "\n".join(f"  bwc attest {kind.kind} {example}" for example in _EXAMPLES[kind.kind])
    command = click.command(kind.kind, help=f"{words}\n\n\b\nExample:\n{example}", short_help=_short(kind))(run)
    more = {st.Classification: _shift, st.Authorization: court_options}.get(kind, tuple)()
    command.params = [*_fields(kind), *more, *_ways(), *command.params]
    return command


_CHECKED = (
    "What is signed is said in words first. An incident or clip that nobody tells of, a person who is not enrolled, "
    "or a time before the recording is refused, unless --anyway. A time without an offset is the agency's."
)


def _fields(kind: type[st.Statement]) -> Iterator[click.Option]:
    times = time_fields(kind)
    for name, field in kind.model_fields.items():
        flag = f"--{name.replace('_', '-')}"
        annotation = field.annotation
        if name == "court_order":
            continue  # it has fields of its own: `court_options`
        many = get_origin(annotation) is tuple
        choices = [value for value in _literals(annotation) if isinstance(value, str)]
        if annotation is bool or bool in get_args(annotation):
            yield click.Option([f"{flag}/--not-{flag[2:]}", name], default=None)
        elif choices:
            yield click.Option([flag, name], type=click.Choice(choices), multiple=many)
        else:
            yield click.Option([flag, name], multiple=many, help=_help(name, times), metavar=_metavar(name, times))


def _help(name: str, times: frozenset[str]) -> str | None:
    if name in times:
        return 'Such as "2023-11-29 12:10", or with Z or an offset' + (", now by default." if name in NOW else ".")
    return "Made by default." if name in FRESH else None


def _metavar(name: str, times: frozenset[str]) -> str | None:
    return "TIME" if name in times else None


def _shift() -> tuple[click.Option, ...]:
    """What proposes many."""
    span = "A local day, or START/END: proposes every clip that began then and is unclassified, and signs what you"
    return (
        click.Option(
            ["--shift"], metavar="SPAN", help=f"{span} confirm for each incident; --force is none by default."
        ),
        click.Option(["--yes"], is_flag=True, help="With --shift: sign all that is proposed, and ask nothing."),
    )


def _ways() -> tuple[click.Option, ...]:
    """What every kind has."""
    return (
        click.Option(["--from", "source"], type=click.Path(path_type=Path), help="A JSON or TOML file of many."),
        click.Option(["--timezone"], **timezone_settings()),
        click.Option(["--anyway"], is_flag=True, help="Sign also what does not fit what is known, and say so."),
        click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document."),
    )


def _literals(annotation: Any) -> Iterator[Any]:
    for inner in get_args(annotation):
        yield inner
        yield from _literals(inner)


def _short(kind: type[st.Statement]) -> str:
    return (kind.__doc__ or f"A {kind.kind}.").strip().splitlines()[0].rstrip(".")


for _kind in st.FACTS:
    attest.add_command(_command(_kind))
