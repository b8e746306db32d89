"""What holds for all clips and calls: order, repetition and the hour of the day change nothing, nothing is lost."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from daemon.core.dispatch.activation import Assignment, Clip, Matching, match
from daemon.core.dispatch.eido import Incident, Merge, Snapshot, Status, together
from tests.core.dispatch.calls import DAY, assignments, newest_stops

OFFICERS = ("A", "B")
minutes = st.integers(0, 240).map(lambda number: DAY + timedelta(seconds=30 * number))


@st.composite
def clips(draw: st.DrawFn) -> list[Clip]:
    """Of two officers, numbered, overlapping at will; some have no length."""
    times = draw(st.lists(st.tuples(minutes, minutes, minutes, st.sampled_from(OFFICERS)), max_size=8))
    return [Clip(f"clip-{n}", officer, *sorted(given_times)) for n, (*given_times, officer) in enumerate(times)]


@st.composite
def calls(draw: st.DrawFn) -> list[Assignment]:
    found = []
    drawn = draw(st.lists(st.tuples(minutes, st.none() | minutes, st.sampled_from(OFFICERS)), max_size=8))
    for number, (begin, end, officer) in enumerate(drawn):
        if end is not None and end < begin:
            begin, end = end, begin
        found.append(Assignment(f"I{number}", "Theft", "711", officer, begin, end))
    return found


snapshots = st.lists(
    st.lists(
        st.builds(
            Status,
            st.sampled_from(["I1", "I2"]),
            st.sampled_from(["711", "712"]),
            st.sampled_from([(), ("A",), ("B",), ("A", "B")]),
            st.sampled_from(["Dispatched", "EnRoute", "OnScene", "Cleared", "AssignmentCancelled", "Available"]),
            minutes,
        ),
        min_size=1,
        max_size=3,
    ),
    max_size=6,
).map(lambda documents: [_snapshot(statuses) for statuses in documents])


def _snapshot(statuses: list[Status]) -> Snapshot:
    merges = (
        (Merge("I2", "REPLACING", "urn:emergency:uid:incidentid:I1:cad.example", "I1"),) if len(statuses) == 3 else ()
    )
    incidents = {Incident(status.incident_id, "Theft", None, DAY) for status in statuses}
    return Snapshot(tuple(sorted(incidents)), tuple(statuses), merges, max(status.at for status in statuses))


@given(snapshots, st.data())
def test_neither_order_of_arrival_nor_repetition_changes_an_assignment(
    arriving: list[Snapshot], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(arriving + arriving[:2]))
    assert assignments(shuffled) == assignments(arriving)


@given(snapshots)
def test_one_document_with_the_whole_history_says_what_many_said(arriving: list[Snapshot]) -> None:
    if arriving:
        assert assignments([together(arriving)]) == assignments(arriving)
        assert together(arriving).as_of == max(one.as_of for one in arriving)


@given(snapshots)
def test_an_officers_assignments_to_one_incident_in_one_unit_never_overlap(arriving: list[Snapshot]) -> None:
    last: dict[tuple[str, str, str], Assignment] = {}
    for found in assignments([Snapshot(s.incidents, s.statuses, (), s.as_of) for s in arriving]):
        before = last.get(key := (found.incident_id, found.unit_id, found.officer_id))
        assert before is None or (before.cleared_at is not None and before.cleared_at <= found.dispatched_at)
        last[key] = found


@given(clips(), calls(), st.data())
def test_neither_order_nor_repetition_changes_a_verdict(
    worn: list[Clip], called: list[Assignment], data: st.DataObject
) -> None:
    expected = match(worn, called, newest_stops(worn))
    again = match(
        data.draw(st.permutations(worn + worn[:2])), data.draw(st.permutations(called + called[:2])), newest_stops(worn)
    )
    assert again == expected


@given(clips(), calls())
def test_covered_and_uncovered_make_up_a_closed_assignment(worn: list[Clip], called: list[Assignment]) -> None:
    matching = match(worn, called, {})
    for item in matching.assignments:
        if item.assignment.cleared_at is not None:
            length = (item.assignment.cleared_at - item.assignment.dispatched_at).total_seconds()
            assert item.covered_seconds + item.uncovered_seconds == length
            assert item.covered_seconds >= 0 <= item.uncovered_seconds
    for activation in matching.clips.values():
        for part in activation.parts:
            judged = part.judged
            whole = judged.covered_seconds + judged.uncovered_seconds
            assert part.covered_seconds + part.uncovered_seconds == whole
            assert 0 < part.covered_seconds <= judged.covered_seconds


@given(clips(), calls(), st.integers(-(10**11), 10**11))
def test_shifting_all_times_changes_no_verdict(worn: list[Clip], called: list[Assignment], by: int) -> None:
    shift = timedelta(milliseconds=by)
    later = match(
        [clip.corrected(-shift.total_seconds()) for clip in worn],
        [
            Assignment(a.incident_id, a.incident_type, a.unit_id, a.officer_id, a.dispatched_at + shift,
                       a.cleared_at and a.cleared_at + shift)
            for a in called
        ],
        {officer: until + shift for officer, until in newest_stops(worn).items()},
    )  # fmt: skip
    assert summary(later) == summary(match(worn, called, newest_stops(worn)))


@given(clips(), calls())
def test_the_sweep_finds_what_trying_every_pair_finds(worn: list[Clip], called: list[Assignment]) -> None:
    matching = match(worn, called, newest_stops(worn))
    assert {i.assignment.incident_id: (i.verdict, set(i.clip_ids)) for i in matching.assignments} == {
        call.incident_id: plainly_judged(call, worn) for call in called
    }
    assert {clip_id: activation.verdict for clip_id, activation in matching.clips.items()} == {
        clip.clip_id: plainly_tagged(clip, called, worn) for clip in worn
    }


def summary(matching: Matching) -> object:
    return (
        {clip_id: (activation.verdict, [(p.covered_seconds, p.uncovered_seconds) for p in activation.parts])
         for clip_id, activation in matching.clips.items()},
        [(i.assignment.incident_id, i.verdict, i.triggered_after_seconds, i.covered_seconds, i.clip_ids)
         for i in matching.assignments],
    )  # fmt: skip


def overlap(clip: Clip, call: Assignment) -> float:
    """Seconds that the clip covers of the call."""
    begin = max(clip.started_at, call.dispatched_at)
    end = clip.stopped_at if call.cleared_at is None else min(clip.stopped_at, call.cleared_at)
    return max(0.0, (end - begin).total_seconds()) if clip.officer_id == call.officer_id else 0.0


def plainly_judged(call: Assignment, worn: list[Clip]) -> tuple[str, set[str]]:
    """The contract's words, clip by clip."""
    mine = [clip for clip in worn if overlap(clip, call)]
    names = {clip.clip_id for clip in mine}
    grace = timedelta(seconds=60)
    if not mine:
        end = call.cleared_at or call.dispatched_at
        docked = any(clip.officer_id == call.officer_id and clip.stopped_at > end for clip in worn)
        return ("absent" if docked else "pending"), names
    if all(clip.triggered_at > call.dispatched_at + grace for clip in mine):
        return "late", names
    if call.cleared_at is not None and all(clip.stopped_at < call.cleared_at - grace for clip in mine):
        return "partial", names
    return "on_time", names


def plainly_tagged(clip: Clip, called: list[Assignment], worn: list[Clip]) -> str:
    mine = [call for call in called if overlap(clip, call)]
    if not mine:
        return "undispatched"
    half = (clip.stopped_at - clip.started_at).total_seconds() / 2
    holding = mine if len(mine) == 1 else [call for call in mine if overlap(clip, call) > half]
    return plainly_judged(holding[0], worn)[0] if len(holding) == 1 else "ambiguous"
