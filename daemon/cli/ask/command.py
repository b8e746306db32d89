"""`bwc ask`: how clips stand, what was attested, what would follow if, the disposal report, and how the service is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import click
from pydantic import ValidationError

from daemon.cli.ask.suppose import supposed_in
from daemon.cli.shared.options import JSON, timezone_settings
from daemon.cli.shared.output import print_json
from daemon.cli.shared.person import Caller, as_client, as_person
from daemon.cli.shared.typed_times import typed_span
from daemon.core.words import need_told
from daemon.model import statements as st
from daemon.model.config import Broker
from daemon.model.errors import BwcError, ConfigurationError, TamperedError
from daemon.model.parse import explain
from daemon.model.query_results import ListedClip, ListedWord, ReportPiece, SupposedDecision
from daemon.model.statements import Purpose
from daemon.model.topics import Topics
from daemon.model.types import Document
from daemon.model.zones import zone_named
from daemon.review.asking import asking, hear_status
from daemon.vault import durable

_ZONE = click.option("--timezone", **timezone_settings())
_SILENT_SECONDS = 35.0
"""A service that has said nothing for so long has missed three of its statuses."""


@click.group()
def ask() -> None:
    """Ask the policy service. It answers by your roles, and nothing is decided.

    \b
    Example:  bwc ask clips --span 2023-11-29 --unclassified
              bwc ask decision --clip ID --person 51234 --purpose report --suppose words.toml
    """


def _ask(kind: type[Any], **arguments: Any) -> Any:
    """A question. Raises ConfigurationError for arguments that do not fit it."""
    try:
        return kind(**{name: value for name, value in arguments.items() if value is not None})
    except ValidationError as error:
        raise ConfigurationError(explain(error)) from None


def _plain(rows: Sequence[Document]) -> list[dict[str, Any]]:
    return [row.plain() for row in rows]


@ask.command()
@click.option("--span", required=True, metavar="DAY|START/END", help="When the recordings began, in the agency's time.")
@click.option("--unclassified", is_flag=True, help="Those alone that nobody has classified.")
@_ZONE
@JSON
@as_person
def clips(person: Caller, span: str, unclassified: bool, timezone: str | None, as_json: bool) -> None:
    """List the clips of a span of time, each with how it stands and what is still owed.

    Supervisors, internal affairs, chief, records and counsel see all; everybody else those they wore.

    \b
    Example:  bwc ask clips --span 2023-11-29 --unclassified
    """
    zone = zone_named(timezone)
    try:
        since, until = typed_span(span, zone)
    except ValueError as error:
        raise ConfigurationError(f"--span: {error}") from None
    only = "unclassified" if unclassified else "all"
    question = _ask(st.AskedClips, what="clips", since=since, until=until, only=only)
    with asking(person) as session:
        rows = list(session.rows(question, ListedClip))
    if as_json:
        print_json(_plain(rows))
        return
    for row in rows:
        standing = row.standing
        late = ", OVERDUE" if standing.overdue else ""
        where = " ".join(standing.incidents) or "no incident"
        click.echo(f"{row.clip_id}  {zone.shown(row.started_at)}  {row.officer_id}  {where}  {standing.force}{late}")
        for need in standing.needs:
            click.echo(f"  owed: {need_told(need)}")
    click.echo(f"{len(rows)} clips")


@ask.command()
@click.option("--clip", "clip_id", help="What was attested about this clip and its incidents …")
@click.option("--incident", "incident_id", help="… or about this incident.")
@_ZONE
@JSON
@as_person
def words(person: Caller, clip_id: str | None, incident_id: str | None, timezone: str | None, as_json: bool) -> None:
    """List what people have attested about a clip or an incident, and which of it can only close.

    For supervisors, internal affairs, chief, records and counsel who were not there themselves.

    \b
    Example:  bwc ask words --incident 23-310001
    """
    zone = zone_named(timezone)
    question = _ask(st.AskedWords, what="words", clip_id=clip_id, incident_id=incident_id)
    with asking(person) as session:
        rows = list(session.rows(question, ListedWord))
    if as_json:
        print_json(_plain(rows))
        return
    for row in rows:
        click.echo(f"{row.digest}  {zone.shown(row.received_at)}  {row.kind} by {row.signer}{_limits(row)}")
    click.echo(f"{len(rows)} attestations")


def _limits(word: ListedWord) -> str:
    limits = [
        "withdrawn" if word.withdrawn else "",
        "" if word.trusted else "its key is revoked for that time, so it only closes",
        f"only closes: {word.signer} {word.conflict}" if word.conflict else "",
    ]
    return "".join(f"  ({limit})" for limit in limits if limit)


@ask.command()
@click.option("--clip", "clip_id", required=True, help="The clip …")
@click.option("--person", "about", metavar="PERSON", help="… who would ask for it …  [default: you]")
@click.option("--purpose", required=True, type=click.Choice(get_args(Purpose)), help="… and for what.")
@click.option("--suppose", metavar="FILE", type=click.Path(path_type=Path), help="Words that nobody has given.")
@_ZONE
@JSON
@as_person
def decision(
    person: Caller,
    clip_id: str,
    about: str | None,
    purpose: Purpose,
    suppose: Path | None,
    timezone: str | None,
    as_json: bool,
) -> None:
    """Say what would be decided now if somebody asked for a clip, and what would follow if more were attested.

    FILE is like that of bwc attest --from: one [[kind]] table for each word, each with `by`. Nothing of it is signed,
    kept, or decided. Ends with 0, whatever the answer is.

    \b
    Example:  bwc ask decision --clip ID --person 51234 --purpose report --suppose words.toml
    """
    supposed = supposed_in(suppose, zone_named(timezone)) if suppose is not None else ()
    question = _ask(
        st.AskedDecision,
        what="decision",
        clip_id=clip_id,
        person_id=about or person.person_id,
        purpose=purpose,
        suppose=supposed,
    )
    with asking(person) as session:
        [row] = session.rows(question, SupposedDecision)
    if as_json:
        print_json(row.plain())
        return
    click.echo(f"would be {row.outcome}")
    for because in row.because:
        click.echo(f"  because: {because.reason} ({because.policy_id})")
    for need in row.needs:
        click.echo(f"  would open it: {need_told(need)}")


@ask.command()
@click.option("--sha256", metavar="SHA256", help="An earlier report, by its digest.  [default: the newest]")
@click.option("--save", metavar="FILE", type=click.Path(path_type=Path), required=True, help="Where to write it.")
@as_person
def report(person: Caller, sha256: str | None, save: Path) -> None:
    """Fetch a disposal report, check it against its digest, and write it to FILE. For chief, records and counsel.

    \b
    Example:  bwc ask report --save report.json
    """
    if save.is_dir():  # before anything is asked
        raise ConfigurationError(f"{save}: a folder; --save takes a file")
    with asking(person) as session:
        pieces = list(session.rows(_ask(st.AskedReport, what="disposal_report", sha256=sha256), ReportPiece))
    text = "".join(piece.text for piece in pieces).encode()
    digest = hashlib.sha256(text).hexdigest()
    if {piece.sha256 for piece in pieces} != {digest}:
        raise TamperedError("the report that came does not have the digest that it came under", hint="ask again")
    durable.write_replacing(save, text)
    click.echo(f"{digest}  {save}")


@ask.command()
@JSON
@as_client
def status(broker: Broker, agency: str, as_json: bool) -> None:
    """Say how the policy service is, by what it said last. Ends with 1 when it is gone or silent.

    \b
    Example:  bwc ask status --broker mqtt://127.0.0.1:1883 --agency portland
    """
    said = hear_status(broker, Topics(agency))
    if said is None:
        raise BwcError("the policy service has never said how it is", hint="is it running? is this its broker?")
    age = max(0.0, (datetime.now(UTC) - said.said_at).total_seconds())
    if as_json:
        print_json(said.plain())
    elif said.state == "online":
        busy = ", catching up with the broker" if said.catching_up else ""
        click.echo(f"online, said {age:.0f} s ago{busy}: regime {said.regime}, trust version {said.trust_version}")
        click.echo(f"open requests {said.open_requests}, live orders {said.live_orders}, overdue {said.overdue_clips}")
        for dock, through in said.docks.items():
            click.echo(f"  {dock}: everything up to notice {through} is stored")
    if said.state == "offline":
        raise BwcError("the policy service is offline", hint="is it running?")
    if age > _SILENT_SECONDS:
        raise BwcError(f"the policy service has said nothing for {age:.0f} s", hint="is it running?")
