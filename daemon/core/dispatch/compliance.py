"""Activation compliance over a period: the assignments, the absent ones first, and how officers and incidents did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from daemon.core.dispatch.activation import GRACE_SECONDS, Assignment, AssignmentVerdict, Clip, ClipActivation, match
from daemon.core.dispatch.excusals import NO_EXCUSALS, Excusals, Excused

if TYPE_CHECKING:
    from daemon.model.statements import Verdict

ORDER: tuple[Verdict, ...] = ("absent", "late", "partial", "pending", "on_time", "excused")
"""The verdicts, those first that somebody should look at."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How a group of assignments did.

    `excusals`: how many of those that were late, partial or absent somebody has excused; they count as what they are.
    `rate` is the share that was on time among those decided (all but pending and excused). Delays are seconds from
    dispatch to the first trigger, of all decided assignments with a clip; a camera that was recording already has a
    delay of 0. The percentile is by nearest rank. None where there is nothing to reckon with.
    """

    assignments: int
    counts: Mapping[Verdict, int]
    excusals: int
    rate: float | None
    median_delay_seconds: float | None
    p95_delay_seconds: float | None


@dataclass(frozen=True, slots=True)
class Compliance:
    """Assignments in the order of `ORDER`, then by time of dispatch; clips, officers and incidents by id.

    `excusals` are those of its assignments, by incident and officer.
    """

    clips: Mapping[str, ClipActivation]
    assignments: tuple[AssignmentVerdict, ...]
    officers: Mapping[str, Tally]
    incidents: Mapping[str, Tally]
    overall: Tally
    excusals: Mapping[tuple[str, str], Excused]


def review(
    clips: Collection[Clip],
    assignments: Collection[Assignment],
    docked_until: Mapping[str, datetime],
    grace_seconds: float = GRACE_SECONDS,
    begin: datetime | None = None,
    end: datetime | None = None,
    excusals: Excusals = NO_EXCUSALS,
) -> Compliance:
    """The assignments dispatched, and the clips started, in [begin, end); judged over everything that is given."""
    matching = match(clips, assignments, docked_until, grace_seconds)

    def within(at: datetime) -> bool:
        return (begin is None or begin <= at) and (end is None or at < end)

    shown = sorted(clip.clip_id for clip in clips if within(clip.started_at))
    judged = [item for item in matching.assignments if within(item.assignment.dispatched_at)]
    judged.sort(key=lambda item: ORDER.index(item.verdict))
    excused = {_key(item): why for item in judged if (why := _excused(item, excusals)) is not None}
    return Compliance(
        {clip_id: matching.clips[clip_id] for clip_id in shown},
        tuple(judged),
        _grouped(judged, lambda item: item.assignment.officer_id, excusals),
        _grouped(judged, lambda item: item.assignment.incident_id, excusals),
        tally(judged, excusals),
        excused,
    )


def tally(judged: Collection[AssignmentVerdict], excusals: Excusals = NO_EXCUSALS) -> Tally:
    """How many of them have each verdict."""
    excused = sum(_excused(item, excusals) is not None for item in judged)
    counts: dict[Verdict, int] = dict.fromkeys(ORDER, 0)
    for item in judged:
        counts[item.verdict] += 1
    judged = [item for item in judged if item.verdict != "excused"]
    delays = sorted(max(0.0, i.triggered_after_seconds) for i in judged if i.triggered_after_seconds is not None)
    decided = len(judged) - counts["pending"]
    return Tally(
        sum(counts.values()),
        counts,
        excused,
        round(counts["on_time"] / decided, 4) if decided else None,
        _median(delays),
        delays[(95 * len(delays) + 99) // 100 - 1] if delays else None,
    )


def _key(item: AssignmentVerdict) -> tuple[str, str]:
    return item.assignment.incident_id, item.assignment.officer_id


def _excused(item: AssignmentVerdict, excusals: Excusals) -> Excused | None:
    one = item.assignment
    return excusals.of(one.incident_id, one.incident_type, one.officer_id, item.verdict)


def _grouped(
    judged: Collection[AssignmentVerdict], key: Callable[[AssignmentVerdict], str], excusals: Excusals
) -> dict[str, Tally]:
    groups: dict[str, list[AssignmentVerdict]] = defaultdict(list)
    for item in judged:
        groups[key(item)].append(item)
    return {name: tally(groups[name], excusals) for name in sorted(groups)}


def _median(ordered: list[float]) -> float | None:
    if not ordered:
        return None
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else round((ordered[middle - 1] + ordered[middle]) / 2, 3)
