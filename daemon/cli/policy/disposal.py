"""`bwc policy disposal`: the newest disposal report, its digest to be signed, and what became of the last one."""

from __future__ import annotations

from pathlib import Path

import click

from daemon.cli.policy.live import opened
from daemon.cli.shared.options import JSON, POLICY_CONFIG
from daemon.model.disposal_report import KeptBy, ReportedClip
from daemon.model.errors import BwcError
from daemon.model.times import format_instant
from daemon.policy.cases.disposal.authorized import outcome_of
from daemon.policy.cases.disposal.reports import last_unclassified, read
from daemon.policy.store.rows import ReportRow

_SECTIONS = {
    "due": "due",
    "overdue": "past the longest time allowed, without a court case or a hold",
    "kept": "their time is over, and they are still kept",
    "unclassified": "classified by nobody",
}


@click.command()
@click.option("--report", "wanted", metavar="SHA256", help="An earlier report, by its digest.  [default: the newest]")
@click.option("--digest", is_flag=True, help="Print the report's SHA-256 alone: what chief and records authorize.")
@POLICY_CONFIG
@JSON
def disposal(wanted: str | None, digest: bool, config_path: Path, as_json: bool) -> None:
    """Show the disposal report that the policy service made: what is due, and which word set each date.

    It disposes of nothing. With --json it is printed as it is hashed, without a newline.

    \b
    Example:
      bwc policy disposal
      bwc policy disposal --json | sha256sum
      bwc attest authorization --purposes disposal
        --report-sha256 DIGEST --expires-at "2026-12-31 12:00"
        --save disposal.json
    """
    with opened(config_path) as context:
        store = context.store
        row = store.report(wanted) if wanted else store.newest_report()
        last, listed = store.last_carried_out(), last_unclassified(context)
    if row is None:
        raise BwcError(
            f"no disposal report {wanted}" if wanted else "no disposal report yet",
            hint="the service makes one a day, once something is due",
        )
    if digest or as_json:
        click.echo(row.digest if digest else row.document, nl=digest)
        return
    _print(row)
    if listed is not None and listed.digest != row.digest:
        count = len(read(listed).unclassified)
        click.echo(f"report {listed.digest} of {listed.made_at} lists {_counted(count)} that nobody had classified")
    if last is not None:
        _print_outcome(last)


def _print(row: ReportRow) -> None:
    report = read(row)
    click.echo(f"disposal report {row.digest}, made {row.made_at}")
    for name, words in _SECTIONS.items():
        clips: tuple[ReportedClip, ...] = getattr(report, name)
        if clips:
            click.echo(f"{words}: {_counted(len(clips))}")
        for clip in clips:
            until = f"until {format_instant(clip.keep_until)}, " if clip.keep_until else ""
            click.echo(f"  {clip.clip_id}  at {clip.dock_id}  kept {until}{_words(clip.kept_by)}")
    if report.left_out:
        click.echo(f"and {report.left_out} more, in later reports")


def _print_outcome(row: ReportRow) -> None:
    outcome = outcome_of(row)
    rest = "; it goes on" if outcome.left else ""
    click.echo(f"report {row.digest} was authorized: {_counted(outcome.ordered)} ordered disposed{rest}")
    for clip in outcome.withheld:
        click.echo(f"  {clip.clip_id}  at {clip.dock_id}  withheld: {clip.reason}")


def _counted(clips: int) -> str:
    return f"{clips} clip{'' if clips == 1 else 's'}"


def _words(by: KeptBy) -> str:
    """`730 days for the label dui by 51234`."""
    where = f" in incident {by.incident_id}" if by.incident_id else ""
    what = {
        "default": "as every clip",
        "trigger": f"for what started it, {by.trigger}",
        "force": f"for {by.force} force{where}",
        "death": f"for a death in custody{where}",
        "label": f"for the label {by.category} by {by.by}" + (f", case {by.case_number}" if by.case_number else ""),
        "unclassified": f"until somebody classifies it{where}",
        "hold": f"by the hold {by.hold_id}",
        "request": f"for the open request of {by.by}",
    }[by.kind]
    return f"{by.days:g} days {what}" if by.days is not None else what
