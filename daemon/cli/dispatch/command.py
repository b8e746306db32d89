"""`bwc dispatch`: were the cameras on when their officers were dispatched?"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from daemon.cli.dispatch import files
from daemon.cli.dispatch.findings import Findings, SetAside, concerning
from daemon.cli.dispatch.output import as_csv, as_document, print_text
from daemon.cli.shared.options import timezone_settings
from daemon.cli.shared.typed_times import typed_day
from daemon.core.dispatch.activation import GRACE_SECONDS
from daemon.core.dispatch.assignments import dispatched
from daemon.core.dispatch.compliance import review
from daemon.core.dispatch.crews import Named
from daemon.core.dispatch.unclear import UnknownCrew, perhaps_theirs
from daemon.model import strict_json
from daemon.model.config import DockConfig, load_config
from daemon.model.zones import AgencyZone, zone_named

_PATH = click.Path(path_type=Path)


@click.group()
def dispatch() -> None:
    """Dispatch calls and the clips recorded on them."""


@dispatch.command()
@click.option("--eido", "documents", type=_PATH, help="EIDO documents: a file, or a folder of *.json.")
@click.option("--captures", type=_PATH, help="Captures: a file, or a folder of *.json.")
@click.option("--config", "config_path", type=_PATH, help="Instead of both: a dock's configuration, for its own store.")
@click.option(
    "--grace", type=click.FloatRange(0, 86400), metavar="SECONDS", help=f"[default: the dock's, or {GRACE_SECONDS:g}]"
)
@click.option("--from", "start", metavar="DAY|TIME", help="Only what was dispatched, or began, from then on.")
@click.option("--to", "until", metavar="DAY|TIME", help="Only what was dispatched, or began, before then.")
@click.option("--timezone", **timezone_settings("the dock's, or this machine's"))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--csv", "as_table", is_flag=True, help="Print one CSV line for each assignment.")
def report(
    documents: Path | None,
    captures: Path | None,
    config_path: Path | None,
    grace: float | None,
    start: str | None,
    until: str | None,
    timezone: str | None,
    as_json: bool,
    as_table: bool,
) -> None:
    """Report activation compliance: for each assignment whether its officer's camera was on, the absent ones first.

    With --config: on what a dock holds (the last 24 hours without --from). With --eido and --captures: on files, taken
    as they are: no signature is checked, and no clock skew corrected. A capture may be the signed envelope or the bare
    payload. What cannot be used is set aside with a reason; the rest counts.
    Verdicts always rest on everything given; --from and --to choose what is shown. A day begins at its midnight in the
    agency's time zone, and a time without an offset is in that zone too. What --json and --csv print is UTC.

    \b
    on time  already recording at dispatch, or triggered within the grace period
    late     triggered after that
    partial  on time, but stopped more than the grace period before the call was cleared
    absent   no clip, though a later one of that officer has docked
    pending  no clip yet
    excused  cancelled within the grace period: no verdict

    A call of unknown crew is one of which nobody knows who was on its unit.

    \b
    Example:
      bwc dispatch report --config dock.toml --from 2023-11-29 --to 2023-11-30
      bwc dispatch report --eido cad/ --captures captures/ --from 2023-11-29
    """
    if as_json and as_table:
        raise click.UsageError("--json and --csv exclude each other")
    zone = zone_named(timezone)
    if config_path is not None and documents is None and captures is None:
        config = load_config(DockConfig, config_path)
        zone = config.zone if timezone is None else zone
        found = _of_dock(config, grace, _typed("--from", start, zone), _typed("--to", until, zone))
    elif config_path is None and documents is not None and captures is not None:
        seconds = GRACE_SECONDS if grace is None else grace
        found = _of_files(documents, captures, seconds, _typed("--from", start, zone), _typed("--to", until, zone))
    else:
        raise click.UsageError("give either --eido and --captures, or --config")
    if as_json:
        click.echo(strict_json.dump(as_document(found)))
    elif as_table:
        click.echo(as_csv(found.compliance), nl=False)
    else:
        print_text(found, zone, terminal=sys.stdout.isatty())


def _typed(option: str, text: str | None, zone: AgencyZone) -> datetime | None:
    """A local day as the moment it begins, or a time. Raises UsageError, with what to write instead."""
    try:
        return typed_day(text, zone) if text is not None else None
    except ValueError as error:
        raise click.UsageError(f"{option}: {error}") from None


def _of_files(documents: Path, captures: Path, grace: float, begin: datetime | None, end: datetime | None) -> Findings:
    found = files.read(documents, captures)
    clips = list(found.clips.values())
    called = dispatched(found.snapshots, cameras={clip.officer_id for clip in clips})
    compliance = review(clips, called.assignments, found.docked_until, grace, begin, end)
    seen = Named({status for snapshot in found.snapshots for status in snapshot.statuses})
    perhaps = {clip.clip_id: calls for clip in clips if (calls := perhaps_theirs(called.unknown, clip, seen))}
    unknown = [call for call in called.unknown if _dispatched_within(call, begin, end)]
    return Findings(compliance, concerning(compliance, unknown, called.merges), found.set_aside, unknown, perhaps)


def _of_dock(config: DockConfig, grace: float | None, begin: datetime | None, end: datetime | None) -> Findings:
    """Over the dock's own store; the last 24 hours when no period is given."""
    from daemon.dock.dispatch import compliance_source

    end = end or datetime.now(UTC)
    begin = begin or end - timedelta(days=1)
    found = compliance_source.read(config, begin, end)
    seconds = config.activation.grace_seconds if grace is None else grace
    compliance = review(found.clips, found.assignments, found.docked_until, seconds, begin, end, found.excusals)
    set_aside = [SetAside(source, reason) for source, reason in found.set_aside]
    unknown = [call for call in found.unknown if _dispatched_within(call, begin, end)]
    return Findings(compliance, concerning(compliance, unknown, found.merges), set_aside, unknown, found.perhaps)


def _dispatched_within(call: UnknownCrew, begin: datetime | None, end: datetime | None) -> bool:
    return (begin is None or begin <= call.dispatched_at) and (end is None or call.dispatched_at < end)
