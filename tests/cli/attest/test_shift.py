"""What of a shift is proposed: all that is unclassified, by incident, and never what would undo an earlier word."""

from __future__ import annotations

from datetime import timedelta

import pytest

from daemon.cli.attest.shift import DOUBTED_SKEW, Proposal, propose
from daemon.review.known import Known
from tests.cli.attest.world import EVENING, clip, clip_id, known, standing

ME = "41001"
END = EVENING + timedelta(hours=10)


def proposed(world: Known, person: str = ME) -> Proposal:
    return propose(world, EVENING, END, person)


def names(found: Proposal) -> list[tuple[str | None, list[int]]]:
    return [(group.incident_id, [int(c.clip_id[:8], 16) for c in group.clips]) for group in found.groups]


def left(found: Proposal) -> list[list[int]]:
    return [[int(c.clip_id[:8], 16) for c in each.clips] for each in found.left]


def test_unclassified_clips_are_grouped_by_incident_in_the_order_of_the_night() -> None:
    found = proposed(known(clip(5, "B"), clip(1, "A"), clip(3, "A", officer="52345"), clip(2)))
    assert names(found) == [("A", [1, 3]), (None, [2]), ("B", [5])]
    assert found.left == () and found.seen == 4
    assert found.groups[0].occurred_at == EVENING + timedelta(hours=1, seconds=30)
    assert found.groups[1].name == "no incident"


def test_only_what_began_in_the_shift_is_proposed() -> None:
    world = known(clip(0, "A"), clip(1, "A"), clip(9, "B"), clip(10, "C"))
    assert names(propose(world, EVENING + timedelta(hours=1), END, ME)) == [("A", [1]), ("B", [9])]


def test_clips_of_no_incident_are_each_a_group() -> None:
    assert names(proposed(known(clip(1), clip(2)))) == [(None, [1]), (None, [2])]


def test_what_is_classified_is_not_proposed() -> None:
    found = proposed(known(clip(1, "A"), clip(2, "B"), clip(3), c1="deadly", c3="none"))
    assert names(found) == [("B", [2])] and found.left == ()


def test_an_incident_that_another_clip_shows_as_classified_is_not_proposed_again() -> None:
    """It would undo what the same supervisor said before: the latest word of each signer counts."""
    found = proposed(known(clip(1, "A"), clip(2, "A"), c1="deadly"))
    assert names(found) == [] and left(found) == [[2]]
    outside = Known(
        {c.clip_id: c for c in (clip(20, "A"), clip(2, "A"))},
        {
            clip_id(20): standing(clip_id(20), "serious", ["A"]),
            clip_id(2): standing(clip_id(2), "unclassified", ["A"]),
        },
    )
    assert names(proposed(outside)) == [], "a clip of another shift shows it too"


def test_of_several_incidents_those_not_seen_to_be_unclassified_are_marked() -> None:
    found = proposed(known(clip(1, "A"), clip(2, "A", "B"), clip(3, "C", "D"), clip(4, "D"), c4="minimal"))
    assert names(found) == [("A", [1, 2]), ("B", [2]), ("C", [3])]
    assert {group.incident_id: group.unseen for group in found.groups} == {"A": False, "B": True, "C": False}


def test_an_incident_that_only_a_classification_named_counts_too() -> None:
    world = known(clip(1))
    world.standings[clip_id(1)] = standing(clip_id(1), "unclassified", ["made-up"])
    assert names(proposed(world)) == [("made-up", [1])]


@pytest.mark.parametrize("incidents", [("A",), ()])
def test_what_the_supervisor_wore_is_left_for_another(incidents: tuple[str, ...]) -> None:
    found = proposed(known(clip(1, *incidents, officer=ME), clip(2, "B")))
    assert names(found) == [("B", [2])] and left(found) == [[1]]


def test_so_is_all_of_an_incident_in_which_they_wore_another_camera() -> None:
    world = known(clip(1, "A"), clip(20, "A", officer=ME), c20="none_yet")
    assert names(proposed(world)) == [] and left(proposed(world)) == [[1]]


def test_and_an_incident_about_which_they_owe_a_word() -> None:
    world = known(clip(1, "A"))
    world.standings[clip_id(1)] = standing(clip_id(1), "unclassified", ["A"], ME)
    assert names(proposed(world)) == [] and left(proposed(world)) == [[1]]


@pytest.mark.parametrize("skew", [DOUBTED_SKEW + 1, -DOUBTED_SKEW - 1])
def test_a_clip_of_a_doubted_clock_is_left_to_be_named(skew: float) -> None:
    found = proposed(known(clip(1, "A", skew=skew), clip(2, "B", skew=DOUBTED_SKEW)))
    assert names(found) == [("B", [2])] and left(found) == [[1]]


def test_a_clip_is_of_the_shift_by_the_docks_clock() -> None:
    assert names(proposed(known(clip(0, "A", skew=-200.0), clip(10, "B", skew=-200.0)))) == [("A", [0])]


def test_a_clip_of_which_nothing_is_said_is_left() -> None:
    found = proposed(known(clip(1, "A"), clip(2, "B"), c1="none_yet"))
    assert names(found) == [("B", [2])] and left(found) == [[1]] and found.seen == 2


def test_an_empty_shift_proposes_nothing() -> None:
    assert proposed(Known()) == Proposal(0, (), ())
