"""How a compliance report looks: a JSON document, CSV, tables in a terminal, plain lines in a pipe. Decides nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from daemon.cli.dispatch.findings import Findings
from daemon.core.dispatch.activation import AssignmentVerdict
from daemon.core.dispatch.compliance import ORDER, Compliance, Tally
from daemon.core.words import EXCUSALS
from daemon.model.times import format_instant
from daemon.model.zones import AgencyZone

_COLOURS = {"absent": "red", "late": "yellow", "partial": "yellow", "pending": "dim", "on_time": "green"}
_COLUMNS = (
    "incident_id",
    "incident_type",
    "unit_id",
    "officer_id",
    "matched_by",
    "dispatched_at",
    "cleared_at",
    "verdict",
    "triggered_after_seconds",
    "covered_seconds",
    "uncovered_seconds",
    "clips",
    "excusal",
)


def as_document(found: Findings) -> dict[str, Any]:
    """The report as JSON-ready values."""
    report = found.compliance
    return {
        "clips": {
            clip_id: {
                "verdict": activation.verdict,
                "perhaps": [call.incident_id for call in found.perhaps.get(clip_id, ())],
                "assignments": [
                    {
                        "incident_id": part.judged.assignment.incident_id,
                        "verdict": part.judged.verdict,
                        "triggered_after_seconds": part.judged.triggered_after_seconds,
                        "covered_seconds": part.covered_seconds,
                        "uncovered_seconds": part.uncovered_seconds,
                    }
                    for part in activation.parts
                ],
            }
            for clip_id, activation in report.clips.items()
        },
        "assignments": [
            {
                "incident_id": item.assignment.incident_id,
                "officer_id": item.assignment.officer_id,
                "unit_id": item.assignment.unit_id,
                "matched_by": item.assignment.matched_by,
                "dispatched_at": format_instant(item.assignment.dispatched_at),
                "cleared_at": format_instant(item.assignment.cleared_at) if item.assignment.cleared_at else None,
                "verdict": item.verdict,
                "excusal": _excusal(report, item),
                "clips": list(item.clip_ids),
            }
            for item in report.assignments
        ],
        "officers": {officer_id: _tally(tally) for officer_id, tally in report.officers.items()},
        "unknown_crew": [
            {
                "incident_id": call.incident_id,
                "unit_id": call.unit_id,
                "dispatched_at": format_instant(call.dispatched_at),
                "cleared_at": format_instant(call.cleared_at) if call.cleared_at else None,
            }
            for call in found.unknown
        ],
        "merges": [merge._asdict() for merge in found.merges],
        "set_aside": [{"file": item.file, "reason": item.reason} for item in found.set_aside],
    }


def as_csv(report: Compliance) -> str:
    """One line for each assignment, with the column names above; clips are separated by spaces."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for item in report.assignments:
        assignment = item.assignment
        writer.writerow(
            (
                _harmless(assignment.incident_id),
                _harmless(assignment.incident_type),
                _harmless(assignment.unit_id),
                _harmless(assignment.officer_id),
                assignment.matched_by,
                format_instant(assignment.dispatched_at),
                format_instant(assignment.cleared_at) if assignment.cleared_at else "",
                item.verdict,
                "" if item.triggered_after_seconds is None else item.triggered_after_seconds,
                item.covered_seconds,
                item.uncovered_seconds,
                " ".join(item.clip_ids),
                _harmless(_told(report, item)),
            )
        )
    return text.getvalue()


def print_text(found: Findings, zone: AgencyZone, *, terminal: bool) -> None:
    """Assignments with the absent ones first, then incidents, officers, merges, what was set aside, and the sum.

    Times are those of `zone`, which is named first.
    """
    click.echo(f"Times are those of {zone.name}.\n")
    report = found.compliance
    show = _print_table if terminal else _print_columns
    show(
        ("verdict", "incident", "type", "unit", "officer", "dispatched", "after", "uncovered", "clips"),
        _rows(report, zone),
    )
    heads = (*(verdict.replace("_", " ") for verdict in ORDER), "rate", "median", "95 %")
    show(("incident", *heads), _tallies(report.incidents))
    show(("officer", *heads), _tallies(report.officers))
    for call in found.unknown:
        end = zone.shown(call.cleared_at) if call.cleared_at else "still open"
        where = f"{_printable(call.incident_id)}, unit {_printable(call.unit_id)}"
        click.echo(f"unknown crew: {where}, {zone.shown(call.dispatched_at)} to {end}")
    for merge in found.merges:
        by = "tracking identifier" if merge.by == "tracking" else "the agency's own id"
        click.echo(f"merged: {_printable(merge.new)} replaced {_printable(merge.old)} (told by {by})")
    for item in found.set_aside:
        click.echo(f"set aside: {_printable(item.file)}: {_printable(item.reason)}")
    clips = report.clips.values()
    counts = ", ".join(f"{report.overall.counts[verdict]} {verdict.replace('_', ' ')}" for verdict in ORDER)
    click.echo(f"{report.overall.assignments} assignments: {counts}; on time: {_rate(report.overall)}")
    if report.overall.excusals:
        click.echo(
            f"{report.overall.excusals} of those late, partial or absent are excused, and count as what they are"
        )
    click.echo(
        f"{len(found.unknown)} calls of unknown crew, in the time of "
        f"{sum(clip_id in found.perhaps for clip_id in report.clips)} clips that may belong to them"
    )
    click.echo(
        f"{len(clips)} clips, {sum(clip.verdict == 'undispatched' for clip in clips)} of them on no call; "
        f"{len(found.set_aside)} documents or parts of them set aside"
    )


def _rows(report: Compliance, zone: AgencyZone) -> Iterable[tuple[str, ...]]:
    for item in report.assignments:
        assignment = item.assignment
        unit = assignment.unit_id if assignment.matched_by == "officer" else f"{assignment.unit_id} (matched by unit)"
        yield (
            item.verdict.replace("_", " ") + (f" ({_printable(told)})" if (told := _told(report, item)) else ""),
            _printable(assignment.incident_id),
            _printable(assignment.incident_type),
            _printable(unit),
            _printable(assignment.officer_id),
            zone.shown(assignment.dispatched_at),
            _seconds(item.triggered_after_seconds),
            _uncovered(item),
            str(len(item.clip_ids)),
        )


def _excusal(report: Compliance, item: AssignmentVerdict) -> dict[str, str] | None:
    found = report.excusals.get((item.assignment.incident_id, item.assignment.officer_id))
    return {name: value for name, value in found._asdict().items() if value is not None} if found else None


def _told(report: Compliance, item: AssignmentVerdict) -> str:
    """`excused by 41001: the equipment failed`; empty where nobody has excused it."""
    found = report.excusals.get((item.assignment.incident_id, item.assignment.officer_id))
    if found is None:
        return ""
    if found.by is None:
        return "excused: such calls are"
    return f"excused by {found.by}: {EXCUSALS[found.reason]}" + (f", {found.note}" if found.note else "")


def _uncovered(item: AssignmentVerdict) -> str:
    return _seconds(item.uncovered_seconds) + (" (open)" if item.assignment.cleared_at is None else "")


def _tallies(tallies: Mapping[str, Tally]) -> Iterable[tuple[str, ...]]:
    """Those with the most absent ones first."""
    for name, tally in sorted(tallies.items(), key=lambda pair: (-pair[1].counts["absent"], pair[0])):
        counts = (str(tally.counts[verdict]) for verdict in ORDER)
        yield (
            _printable(name),
            *counts,
            _rate(tally),
            _seconds(tally.median_delay_seconds),
            _seconds(tally.p95_delay_seconds),
        )


def _tally(tally: Tally) -> dict[str, Any]:
    return {
        "assignments": tally.assignments,
        "excusals": tally.excusals,
        **{str(verdict): count for verdict, count in tally.counts.items()},
        "rate": tally.rate,
        "median_delay_seconds": tally.median_delay_seconds,
        "p95_delay_seconds": tally.p95_delay_seconds,
    }


def _rate(tally: Tally) -> str:
    return "-" if tally.rate is None else f"{tally.rate:.1%}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _print_columns(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    lines = [heads, *rows]
    widths = [max(len(line[number]) for line in lines) for number in range(len(heads))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    click.echo()


def _print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    for head in heads:
        table.add_column(head, overflow="fold")
    for first, *others in rows:
        colour = _COLOURS.get(first.replace(" ", "_"))
        cell = f"[{colour}]{escape(first)}[/]" if colour else escape(first)
        table.add_row(cell, *(escape(other) for other in others))
    Console().print(table)


def _printable(text: str) -> str:
    """Dispatch's words and file names must not steer the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
