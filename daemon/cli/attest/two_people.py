"""What two people sign alike: a court's order as options, and a file by which the second signs what the first did."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from daemon.cli.attest.attesting import note
from daemon.cli.attest.facts import Fact
from daemon.model import statements as st
from daemon.model.errors import ConfigurationError

COURT = frozenset({"court", "disclosure"})
"""The purposes for which a court's order is on record."""
_ONE_SIGNERS_OWN = frozenset({"issued_at"})
"""What the two authorizations may differ in, and what the second signer's own clock says."""
_FIELDS = {"reference": "court_reference", "court": "court", "dated": "court_dated", "sha256": "court_sha256"}
_PAIR = {True: "records, and the chief or counsel", False: "records and the chief"}
"""Who they are: for a court, and for disposal."""
_PIECE = 1 << 20


def court_options() -> tuple[click.Option, ...]:
    """A court's order, and where to leave what the second person signs."""
    return (
        click.Option(["--court-reference"], metavar="TEXT", help="The court's order: its docket reference."),
        click.Option(["--court"], metavar="TEXT", help="The court that made it."),
        click.Option(["--court-dated"], metavar="DAY", help="Its date, such as 2023-12-05."),
        click.Option(
            ["--court-file"],
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="The order as a file: its SHA-256 is signed, and the file goes nowhere.",
        ),
        click.Option(["--court-sha256"], metavar="HEX", help="That SHA-256, where the file is not here."),
        click.Option(
            ["--save"],
            type=click.Path(path_type=Path),
            help="A new file for the second person, who signs the same with --from.",
        ),
    )


def take_court_order(values: dict[str, Any]) -> dict[str, Any] | None:
    """Takes the options of a court's order out of `values`: the order, or None without any.

    Raises ConfigurationError for a part of them, for a file of another digest, and for a court's purpose without any.
    """
    given = {field: values.pop(option) for field, option in _FIELDS.items()}
    file: Path | None = values.pop("court_file")
    if file is not None:
        digest = _sha256(file)
        if given["sha256"] not in (None, digest):
            raise ConfigurationError(f"{file}: its SHA-256 is {digest}, not {given['sha256']}")
        given["sha256"] = digest
    missing = [f"--{_FIELDS[field].replace('_', '-')}" for field, value in given.items() if value is None]
    if len(missing) == len(given):
        return None
    if missing:
        named = " and ".join("--court-file" if name == "--court-sha256" else name for name in missing)
        raise ConfigurationError(f"the court's order lacks {named}")
    return given


def refuse_unsignable(facts: Sequence[Fact], *, saved: bool) -> None:
    """Raises ConfigurationError for what could never count, whoever signs it.

    `saved`: it is left for a second person. Otherwise both have to give the same id, for a fresh one is each one's own.
    """
    for fact in facts:
        said = fact.statement
        if not isinstance(said, st.Authorization):
            continue
        if COURT & set(said.purposes) and said.court_order is None:
            hint = "--court-reference, --court, --court-dated and --court-file say which"
            raise ConfigurationError(f"{fact.where}: {' and '.join(said.purposes)} needs a court's order", hint=hint)
        if _is_for_two(said) and not saved and "authorization_id" not in fact.given:
            hint = "or both give the same authorization_id"
            raise ConfigurationError(
                f"{fact.where}: two people sign this: --save FILE keeps it for the second", hint=hint
            )


def tell_of_second(facts: Sequence[Fact], saved: Path | None) -> None:
    """Says who else signs, where one signature is not enough."""
    found = [said for said in (fact.statement for fact in facts) if isinstance(said, st.Authorization)]
    pair = {_PAIR[bool(COURT & set(said.purposes))] for said in found if _is_for_two(said)}
    for both in sorted(pair):
        note(f"it counts once two people have signed it: {both}")
    if pair and saved is not None:
        click.echo(f"hint: the second signs with: bwc attest authorization --from {saved}", err=True)


def save_for_second(path: Path, facts: Sequence[Fact]) -> None:
    """Writes what was said, for `--from`: all but what is each signer's own. Raises ConfigurationError."""
    documents = [
        {name: value for name, value in fact.statement.plain().items() if name not in _ONE_SIGNERS_OWN}
        for fact in facts
    ]
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(documents, indent=2, ensure_ascii=False) + "\n")
    except FileExistsError:
        raise ConfigurationError(f"{path}: exists already", hint=f"--from {path} signs what it holds") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: {(error.strerror or 'cannot be written').lower()}") from None


def _is_for_two(said: st.Authorization) -> bool:
    return bool(COURT & set(said.purposes)) or "disposal" in said.purposes


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    except OSError as error:
        raise ConfigurationError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    return digest.hexdigest()
