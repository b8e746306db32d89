"""What of a shift is proposed: all that is unclassified, by incident, and nothing that another has to classify."""

from __future__ import annotations

from datetime import timedelta

import pytest

from daemon.cli.attest.shift import Proposal, propose
from daemon.model.query_results import ListedClip
from tests.cli.attest.world import EVENING, clip, listed

ME = "41001"


def proposed(*clips: ListedClip) -> Proposal:
    return propose(clips, ME)


def names(found: Proposal) -> list[tuple[str | None, list[int]]]:
    return [(group.incident_id, [int(c.clip_id[:8], 16) for c in group.clips]) for group in found.groups]


def left(found: Proposal) -> list[list[int]]:
    return [[int(c.clip_id[:8], 16) for c in each.clips] for each in found.left]


def test_unclassified_clips_are_grouped_by_incident_in_the_order_of_the_night() -> None:
    found = proposed(
        listed(clip(5, "B"), "B"),
        listed(clip(1, "A"), "A"),
        listed(clip(3, "A", officer="52345"), "A"),
        listed(clip(2)),
    )
    assert names(found) == [("A", [1, 3]), (None, [2]), ("B", [5])]
    assert found.left == () and found.seen == 4
    assert found.groups[0].occurred_at == EVENING + timedelta(hours=1, seconds=30)
    assert found.groups[1].name == "no incident"


def test_clips_of_no_incident_are_each_a_group() -> None:
    assert names(proposed(listed(clip(1)), listed(clip(2)))) == [(None, [1]), (None, [2])]


def test_what_is_classified_is_not_proposed() -> None:
    """It would undo what the same supervisor said before: the latest word of each signer counts."""
    found = proposed(listed(clip(1, "A")), listed(clip(2, "A", "B"), "B"), listed(clip(3), alone=False))
    assert names(found) == [("B", [2])] and found.left == () and found.seen == 3


def test_an_incident_that_only_a_classification_named_counts_too() -> None:
    assert names(proposed(listed(clip(1, "made-up"), "made-up"))) == [("made-up", [1])]


@pytest.mark.parametrize("incidents", [("A",), ()])
def test_where_the_supervisor_was_there_all_of_it_is_left_for_another(incidents: tuple[str, ...]) -> None:
    mine = listed(clip(1, *incidents, officer=ME), *incidents, conflict="wore this clip's camera, or may have")
    found = proposed(mine, listed(clip(2, "B"), "B"))
    assert names(found) == [("B", [2])] and left(found) == [[1]]
    assert f"{ME} wore this clip's camera" in found.left[0].why
    one_knows = proposed(mine, listed(clip(3, "A"), "A"))
    assert names(one_knows) == ([] if incidents else [("A", [3])])


def test_a_clip_of_a_doubted_clock_is_left_to_be_named() -> None:
    found = proposed(listed(clip(1, "A"), "A", clock_doubted=True), listed(clip(2, "B"), "B"))
    assert names(found) == [("B", [2])] and left(found) == [[1]]


def test_a_clip_at_two_docks_is_one() -> None:
    assert names(proposed(listed(clip(1)), listed(clip(1), dock_id="north-1"))) == [(None, [1])]


def test_an_empty_shift_proposes_nothing() -> None:
    assert proposed() == Proposal(0, (), ())
