"""A table of calls and recordings, from dispatch's documents to verdicts. Each case is one thing that happens."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import permutations

import pytest

from daemon.core.dispatch import eido
from daemon.core.dispatch.activation import Clip, Matching, match
from daemon.core.dispatch.tags import tag_clips
from tests.core.dispatch.calls import assignment, assignments, at, clip, document, newest_stops


@dataclass(frozen=True)
class Case:
    """`expect`: `I1 711 A 21:00..22:00 on_time a b` for each assignment with its clips; `clips`: each clip's verdict.

    `rows`: `a: I1 after 5 covered 60 uncovered 0` for a clip's part in an assignment. `docked`: up to when; without it
    the newest stop. `by_unit`: officers matched by their unit. `cameras`: who wears one; without it everybody.
    """

    name: str
    documents: tuple[str, ...]
    recorded: tuple[str, ...] = ()
    expect: tuple[str, ...] = ()
    clips: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    docked: dict[str, str] = field(default_factory=dict)
    by_unit: tuple[str, ...] = ()
    cameras: tuple[str, ...] | None = None
    skew_seconds: float = 0


CALL = ("I1: 711 A Dispatched 21:00; 711 A OnScene 21:10; 711 A Cleared 22:00",)
OPEN = ("I1: 711 A Dispatched 21:00; 711 A OnScene 21:10",)
NOBODY = "711 - Dispatched 21:00; 711 - Cleared 22:00"

CASES = (
    # --- verdicts
    Case("triggered in time", CALL, ("a: A 20:59:40 21:00:10 22:01",), ("I1 711 A 21:00..22:00 on_time a",),
         ("a on_time",), ("a: I1 after 10 covered 3600 uncovered 0",)),
    Case("grace is inclusive", CALL, ("a: A 21:00:30 21:01 22:00",), ("I1 711 A 21:00..22:00 on_time a",)),
    Case("a millisecond past the grace", CALL, ("a: A 21:00:30 21:01:00.001 22:00",),
         ("I1 711 A 21:00..22:00 late a",), ("a late",), ("a: I1 after 60.001 covered 3570 uncovered 30",)),
    Case("recording already at dispatch", CALL, ("a: A 20:29:30 20:30 22:00",),
         ("I1 711 A 21:00..22:00 on_time a",), ("a on_time",), ("a: I1 after -1800 covered 3600 uncovered 0",)),
    Case("stopped early, just within the grace", CALL, ("a: A 21:00 21:00 21:59",),
         ("I1 711 A 21:00..22:00 on_time a",), (), ("a: I1 after 0 covered 3540 uncovered 60",)),
    Case("stopped too early", CALL, ("a: A 21:00 21:00 21:58:59.999",), ("I1 711 A 21:00..22:00 partial a",),
         ("a partial",)),
    Case("late and stopped early is late", CALL, ("a: A 21:05 21:05 21:30",), ("I1 711 A 21:00..22:00 late a",)),
    Case("a pause does not matter, the last stop does", CALL, ("a: A 21:00 21:00 21:10", "b: A 21:50 21:50 22:00"),
         ("I1 711 A 21:00..22:00 on_time a b",), ("a on_time", "b on_time"),
         ("a: I1 after 0 covered 600 uncovered 3000", "b: I1 after 0 covered 600 uncovered 3000")),
    Case("absent: a later clip has docked", CALL, ("a: A 22:10 22:10 22:20",),
         ("I1 711 A 21:00..22:00 absent",), ("a undispatched",)),
    Case("absent: the camera docked empty", CALL, expect=("I1 711 A 21:00..22:00 absent",), docked={"A": "23:00"}),
    Case("absent from a call still open", OPEN, expect=("I1 711 A 21:00.. absent",), docked={"A": "23:00"}),
    Case("pending: only an earlier clip has docked", CALL, ("a: A 20:00 20:00 20:30",),
         ("I1 711 A 21:00..22:00 pending",), ("a undispatched",)),
    Case("pending: docked during the call, and may record yet", CALL, expect=("I1 711 A 21:00..22:00 pending",),
         docked={"A": "21:30"}),
    Case("pending: somebody else's camera docked", CALL, ("b: B 22:10 22:10 22:20",),
         ("I1 711 A 21:00..22:00 pending",), ("b undispatched",)),
    Case("no call at all", ("I1: ",), ("a: A 21:00 21:00 22:00",), (), ("a undispatched",)),
    # --- overlap, not "starts inside"
    Case("began before the call and ended within it", CALL, ("a: A 20:00 20:00 21:59:30",),
         ("I1 711 A 21:00..22:00 on_time a",), ("a on_time",)),
    Case("touching is not overlapping", CALL, ("a: A 20:00 20:00 21:00", "b: A 22:00 22:00 22:30"),
         ("I1 711 A 21:00..22:00 absent",), ("a undispatched", "b undispatched")),
    Case("the buffer reaches back over another call", (*CALL, "I2: 711 A Dispatched 22:00:20; 711 A Cleared 22:30"),
         ("a: A 21:00 21:00 21:59:50", "b: A 21:59:55 22:00:25 22:30"),
         ("I1 711 A 21:00..22:00 on_time a b", "I2 711 A 22:00:20..22:30 on_time b"), ("a on_time", "b on_time"),
         ("b: I1 after 0 covered 5 uncovered 3595", "b: I2 after 5 covered 1780 uncovered 0")),
    Case("the buffer alone triggers nothing", CALL, ("a: A 21:59:40 22:00:10 22:10",),
         ("I1 711 A 21:00..22:00 late a",), ("a late",), ("a: I1 after 3610 covered 20 uncovered 3580",)),
    Case("a clip of no length", CALL, ("a: A 21:30 21:30 21:30", "b: A 22:30 22:30 22:40"),
         ("I1 711 A 21:00..22:00 absent",), ("a undispatched", "b undispatched")),
    Case("a call of no length", ("I1: 711 A Dispatched 21:00; 711 A AssignmentCancelled 21:00",),
         ("a: A 20:00 20:00 22:00",), ("I1 711 A 21:00..21:00 excused",), ("a undispatched",)),
    # --- several calls
    Case("two calls at once", (*CALL, "I2: 711 A Dispatched 21:00; 711 A Cleared 22:00"), ("a: A 21:00 21:00 22:00",),
         ("I1 711 A 21:00..22:00 on_time a", "I2 711 A 21:00..22:00 on_time a"), ("a ambiguous",)),
    Case("one clip over three calls",
         (*CALL, "I2: 711 A Dispatched 22:00; 711 A Cleared 24:30", "I3: 711 A Dispatched 24:30; 711 A Cleared 24:40"),
         ("a: A 21:02 21:02 24:40",),
         ("I1 711 A 21:00..22:00 late a", "I2 711 A 22:00..24:30 on_time a", "I3 711 A 24:30..24:40 on_time a"),
         ("a on_time",), ("a: I2 after -3480 covered 9000 uncovered 0",)),
    Case("no call holds more than half", (*CALL, "I2: 711 A Dispatched 22:00; 711 A Cleared 23:00"),
         ("a: A 21:00 21:00 23:00",),
         ("I1 711 A 21:00..22:00 on_time a", "I2 711 A 22:00..23:00 on_time a"), ("a ambiguous",)),
    Case("half of the clip's time is not more than half",
         (*CALL, "I2: 711 A Dispatched 22:10; 711 A Cleared 22:40"), ("a: A 21:00 21:00 23:00",),
         ("I1 711 A 21:00..22:00 on_time a", "I2 711 A 22:10..22:40 on_time a"), ("a ambiguous",)),
    Case("over midnight", ("I1: 711 A Dispatched 23:30; 711 A Cleared 24:30",), ("a: A 23:30 23:30 24:30",),
         ("I1 711 A 23:30..24:30 on_time a",), ("a on_time",)),
    Case("an open call is never partial, and lasts until the last stop", OPEN,
         ("a: A 21:00 21:00 21:10", "b: A 21:30 21:30 21:40"), ("I1 711 A 21:00.. on_time a b",),
         ("a on_time", "b on_time"), ("a: I1 after 0 covered 600 uncovered 1800",)),
    Case("overlapping clips are not counted twice", CALL, ("a: A 21:00 21:00 21:40", "b: A 21:20 21:20 22:00"),
         ("I1 711 A 21:00..22:00 on_time a b",), (), ("b: I1 after 0 covered 2400 uncovered 1200",)),
    Case("skew is taken off first", CALL, ("a: A 21:02 21:02 22:02",), ("I1 711 A 21:00..22:00 on_time a",),
         ("a on_time",), ("a: I1 after 0 covered 3600 uncovered 0",), skew_seconds=120),
    # --- histories
    Case("dispatched again is a new assignment",
         ("I1: 711 A Dispatched 20:00; 711 A Cleared 20:30", "I1: 711 A Dispatched 21:00; 711 A Cleared 21:30"),
         ("a: A 20:00 20:00 20:30",), ("I1 711 A 20:00..20:30 on_time a", "I1 711 A 21:00..21:30 pending")),
    Case("Dispatched written anew is the same assignment",
         ("I1: 711 A Dispatched 21:00", "I1: 711 A Dispatched 21:05", "I1: 711 A Cleared 22:00"),
         expect=("I1 711 A 21:00..22:00 pending",)),
    Case("cancelled", ("I1: 711 A Dispatched 21:00; 711 A AssignmentCancelled 21:03",),
         ("a: A 21:00:05 21:00:05 21:03",), ("I1 711 A 21:00..21:03 on_time a",)),
    Case("never Dispatched: from the earliest status",
         ("I1: 711 A EnRoute 21:00; 711 A OnScene 21:05; 711 A Cleared 22:00",),
         expect=("I1 711 A 21:00..22:00 pending",)),
    Case("Dispatched counts before an earlier status",
         ("I1: 711 A EnRoute 20:59; 711 A Dispatched 21:00; 711 A Cleared 22:00",),
         expect=("I1 711 A 21:00..22:00 pending",)),
    Case("a clearing alone is no assignment", ("I1: 711 A Cleared 22:00",), ("a: A 21:00 21:00 22:30",), (),
         ("a undispatched",)),
    Case("what is said after the clearing begins nothing", (*CALL, "I1: 711 A Available 22:05"),
         expect=("I1 711 A 21:00..22:00 pending",)),
    Case("late, twice and out of order",
         ("I1: 711 A Cleared 22:00", "I1: 711 A OnScene 21:10", "I1: 711 A Dispatched 21:00",
          "I1: 711 A OnScene 21:10"),
         ("a: A 21:00 21:00 22:00",), ("I1 711 A 21:00..22:00 on_time a",)),
    Case("time zones", ("I1: 711 A Dispatched 2023-11-29T13:00:00-08:00; 711 A Cleared 2023-11-30T03:30:00+05:30",),
         ("a: A 21:00 21:00 22:00",), ("I1 711 A 21:00..22:00 on_time a",)),
    Case("the night the clocks go back: 01:30 comes twice",
         ("I1: 711 A Dispatched 2023-11-05T01:30:00-07:00; 711 A Cleared 2023-11-05T01:10:00-08:00",),
         ("a: A 2023-11-05T08:30:00Z 2023-11-05T08:30:00Z 2023-11-05T09:10:00Z",),
         ("I1 711 A 2023-11-05T08:30:00Z..2023-11-05T09:10:00Z on_time a",)),
    # --- units and officers
    Case("two officers on a unit", ("I1: 711 A+B Dispatched 21:00; 711 A+B Cleared 22:00",),
         ("a: A 21:00 21:00 22:00", "b: B 21:10 21:10 22:00"),
         ("I1 711 A 21:00..22:00 on_time a", "I1 711 B 21:00..22:00 late b"), ("a on_time", "b late")),
    Case("an officer joins later",
         ("I1: 711 A Dispatched 21:00", "I1: 711 A+B OnScene 21:30", "I1: 711 A+B Cleared 22:00"),
         ("b: B 21:30 21:30 22:00",), ("I1 711 A 21:00..22:00 pending", "I1 711 B 21:30..22:00 on_time b")),
    Case("an officer changes units", ("I1: 711 A Dispatched 20:00; 711 A Cleared 20:30", "I2: 712 A Dispatched 21:00"),
         ("a: A 21:00 21:00 21:30",), ("I1 711 A 20:00..20:30 absent", "I2 712 A 21:00.. on_time a"), ("a on_time",)),
    Case("the crew becomes known a moment later",
         ("I1: 711 - Dispatched 21:00", "I1: 711 A EnRoute 21:00:30; 711 A Cleared 22:00"),
         ("a: A 21:00 21:00 22:00",), ("I1 711 A 21:00..22:00 on_time a",)),
    Case("a component without agents means those named before it",
         ("I1: 711 A+B EnRoute 20:59; 711 - Dispatched 21:00; 711 - Cleared 22:00",),
         expect=("I1 711 A 21:00..22:00 pending", "I1 711 B 21:00..22:00 pending")),
    Case("the unit clears without naming its crew", ("I1: 711 A+B Dispatched 21:00; 711 - Cleared 22:00",),
         expect=("I1 711 A 21:00..22:00 pending", "I1 711 B 21:00..22:00 pending")),
    Case("one of a crew clears, the other stays",
         ("I1: 711 A+B Dispatched 21:00; 711 A Cleared 21:30; 711 B OnScene 21:40; 711 B Cleared 22:00",),
         expect=("I1 711 A 21:00..21:30 pending", "I1 711 B 21:00..22:00 pending")),
    Case("no agents, and the unit's crew is known from another call",
         ("I0: 711 A Dispatched 18:00; 711 A Cleared 18:30", f"I1: {NOBODY}"), ("a: A 21:00 21:00 22:00",),
         ("I0 711 A 18:00..18:30 absent", "I1 711 A 21:00..22:00 on_time a"), ("a on_time",), by_unit=("I1 A",)),
    Case("no agents, and the crew is named only afterwards", (f"I1: {NOBODY}", "I2: 711 A Dispatched 23:00"),
         expect=("I1 711 A 21:00..22:00 pending", "I2 711 A 23:00.. pending"), by_unit=("I1 A",)),
    Case("no agents and two officers on the unit",
         ("I0: 711 A+B Dispatched 18:00; 711 A+B Cleared 18:30", f"I1: {NOBODY}"),
         ("a: A 21:00 21:00 22:00",), ("I0 711 A 18:00..18:30 absent", "I0 711 B 18:00..18:30 pending"),
         ("a undispatched",)),
    Case("no agents and two officers, one of them with a camera",
         ("I0: 711 A+B Dispatched 18:00; 711 A+B Cleared 18:30", f"I1: {NOBODY}"), ("a: A 21:00 21:00 22:00",),
         ("I0 711 A 18:00..18:30 absent", "I0 711 B 18:00..18:30 pending", "I1 711 A 21:00..22:00 on_time a"),
         by_unit=("I1 A",), cameras=("A",)),
    Case("no agents, and the officer has moved to another unit",
         ("I0: 711 A Dispatched 18:00; 711 A Cleared 18:30", "I5: 712 A Dispatched 20:00; 712 A Cleared 20:10",
          f"I1: {NOBODY}"),
         expect=("I0 711 A 18:00..18:30 pending", "I5 712 A 20:00..20:10 pending")),
    Case("no agents, and another crew next",
         ("I0: 711 A Dispatched 18:00; 711 A Cleared 18:30", f"I1: {NOBODY}", "I2: 711 B Dispatched 22:30"),
         expect=("I0 711 A 18:00..18:30 pending", "I2 711 B 22:30.. pending")),
    Case("no agents, and the crew known is yesterday's",
         ("I0: 711 A Dispatched 08:00; 711 A Cleared 08:30", f"I1: {NOBODY}"),
         expect=("I0 711 A 08:00..08:30 pending",)),
    # --- merges
    Case("merged: both incidents count, and the other's clearing ends what the merge left open",
         ("I2: 711 A Dispatched 21:00; merge REPLACING I1", "I1: 711 A OnScene 21:20; 711 A Cleared 22:00"),
         ("a: A 21:00 21:00 22:00",),
         ("I2 711 A 21:00..22:00 on_time a", "I1 711 A 21:20..22:00 on_time a"), ("a ambiguous",)),
    Case("merged, said by the incident that goes on",
         ("I2: 711 A Dispatched 21:00", "I1: 711 A Cleared 22:00; merge REPLACED I2"),
         ("a: A 21:00 21:00 22:00",), ("I2 711 A 21:00..22:00 on_time a",), ("a on_time",)),
    Case("the old one cleared at the merge leaves the new one open",
         ("I2: 711 A Dispatched 21:00; 711 A Cleared 21:10; merge REPLACING I1", "I1: 711 A Dispatched 21:05"),
         expect=("I2 711 A 21:00..21:10 pending", "I1 711 A 21:05.. pending")),
    Case("merged twice over, in a ring",
         ("I3: 711 A Dispatched 21:00; merge REPLACING I2", "I2: merge REPLACING I1",
          "I1: 711 A Cleared 22:00; merge REPLACING I3"),
         expect=("I3 711 A 21:00..22:00 pending",)),
    Case("merged, but cleared in its own right",
         ("I2: 711 A Dispatched 21:00; 711 A Cleared 21:30; merge REPLACING I1", "I1: 711 A Cleared 22:00"),
         expect=("I2 711 A 21:00..21:30 pending",)),
    Case("split: two histories",
         ("I1: 711 A Dispatched 21:00; 711 A Cleared 22:00", "I2: 711 A Dispatched 21:30; merge SPLIT I1"),
         expect=("I1 711 A 21:00..22:00 pending", "I2 711 A 21:30.. pending")),
)  # fmt: skip


def matched(case: Case, documents: tuple[str, ...]) -> tuple[Matching, dict[str, Clip]]:
    clips = {item.clip_id: item.corrected(case.skew_seconds) for item in map(clip, case.recorded)}
    until = newest_stops(clips.values()) | {officer: at(time) for officer, time in case.docked.items()}
    called = assignments([eido.parse(document(line)) for line in documents], case.cameras)
    return match(clips.values(), called, until), clips


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    matching, _ = matched(case, case.documents)
    found = [
        (item.assignment.incident_id, item.assignment.unit_id, item.assignment.officer_id,
         item.assignment.dispatched_at, item.assignment.cleared_at, item.verdict, *item.clip_ids)
        for item in matching.assignments
    ]  # fmt: skip
    expected = []
    for line in case.expect:
        *words, verdict_and_clips = line.split(maxsplit=4)
        wanted = assignment(" ".join(words))
        expected.append(
            (wanted.incident_id, wanted.unit_id, wanted.officer_id, wanted.dispatched_at, wanted.cleared_at,
             *verdict_and_clips.split())
        )  # fmt: skip
    assert found == expected
    verdicts = {clip_id: activation.verdict for clip_id, activation in matching.clips.items()}
    for line in case.clips:
        clip_id, verdict = line.split()
        assert verdicts[clip_id] == verdict
    rows = {
        f"{clip_id}: {part.judged.assignment.incident_id} after {part.judged.triggered_after_seconds:g} "
        f"covered {part.covered_seconds:g} uncovered {part.uncovered_seconds:g}"
        for clip_id, activation in matching.clips.items()
        for part in activation.parts
    }
    assert rows >= set(case.rows)
    by_unit = [item.assignment for item in matching.assignments if item.assignment.matched_by == "unit"]
    assert tuple(f"{item.incident_id} {item.officer_id}" for item in by_unit) == case.by_unit


def test_no_case_depends_on_the_order_of_arrival_or_on_repetition() -> None:
    for case in CASES:
        expected, _ = matched(case, case.documents)
        for order in permutations(case.documents):
            assert matched(case, order * 2)[0] == expected, case.name


def test_an_unchanged_situation_gives_the_same_tag_and_says_what_the_match_says() -> None:
    for case in CASES:
        matching, clips = matched(case, case.documents)
        called = [item.assignment for item in matching.assignments]
        until = newest_stops(clips.values()) | {officer: at(time) for officer, time in case.docked.items()}
        tags = tag_clips(clips.values(), called, until)
        again = tag_clips(reversed(clips.values()), reversed(called), until)
        assert list(tags.items()) == list(again.items()), case.name
        for clip_id, (verdict, tagged) in tags.items():
            activation = matching.clips[clip_id]
            assert verdict == activation.verdict
            assert [(item.incident_id, item.verdict, item.covered_seconds, item.matched_by) for item in tagged] == [
                (p.judged.assignment.incident_id, p.judged.verdict, p.covered_seconds, p.judged.assignment.matched_by)
                for p in activation.parts
            ], case.name


def test_a_tag_has_room_for_a_hundred_assignments_and_keeps_the_longest() -> None:
    called = [
        assignment(f"I{number:03} 711 A 21:00..21:{number % 60:02}:{number // 60:02}") for number in range(1, 121)
    ]
    tags = tag_clips([clip("a: A 21:00 21:00 22:00")], called, {})
    kept = [tagged.incident_id for tagged in tags["a"][1]]
    longest = sorted(called, key=lambda item: item.cleared_at or at("22:00"))[-100:]
    assert kept == sorted(item.incident_id for item in longest)


def test_an_incident_is_called_what_its_newest_document_calls_it() -> None:
    older, newer = document("I1: 711 A Dispatched 21:00"), document("I1: 711 A OnScene 21:10")
    newer["incidentComponent"][0]["incidentTypeCommonRegistryText"] = "Robbery"
    for order in ((older, newer), (newer, older)):
        [found] = assignments([eido.parse(item) for item in order])
        assert found.incident_type == "Robbery"
