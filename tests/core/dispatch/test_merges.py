"""Merges as the standard writes them: which of the two goes on, and what told that they are two."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.core.dispatch import eido
from daemon.core.dispatch.assignments import dispatched
from daemon.core.dispatch.merges import Joined
from tests.core.dispatch.calls import document

URN = "urn:emergency:uid:incidentid:"


def call(line: str, tracking: str | None = None, **merge: str) -> dict[str, Any]:
    """A document; `REPLACED="…"` for a merge with whatever has this identifier."""
    found = document(line)
    if tracking is not None:
        found["$id"] = tracking
    if merge:
        found["mergeComponent"] = [
            {"incidentMergeDirectionCode": direction, "incidentTrackingIdentifier": other}
            for direction, other in merge.items()
        ]
    return found


def merges(*documents: dict[str, Any]) -> tuple[Joined, ...]:
    found = dispatched([eido.parse(one) for one in documents]).merges
    assert dispatched([eido.parse(one) for one in reversed(documents)]).merges == found
    return found


OLD = call("I1: 711 A Dispatched 21:00", f"{URN}aaa:x")
NEW = call("I2: 711 A Dispatched 21:05; 711 A Cleared 22:00", f"{URN}bbb:x")


def test_replaced_names_the_old_incident_and_replacing_the_new_one() -> None:
    expected = (Joined("I1", "I2", "tracking"),)
    assert merges(OLD, call("I2: ", f"{URN}bbb:x", REPLACED=f"{URN}aaa:x"), NEW) == expected
    assert merges(NEW, call("I1: ", f"{URN}aaa:x", REPLACING=f"{URN}bbb:x"), OLD) == expected


def test_the_old_one_left_open_ends_with_the_new_one_and_not_the_other_way_round() -> None:
    said = call("I2: ", f"{URN}bbb:x", REPLACED=f"{URN}aaa:x")
    first, second = dispatched([eido.parse(one) for one in (OLD, NEW, said)]).assignments
    assert (first.incident_id, first.cleared_at) == ("I1", second.cleared_at)
    backwards = call("I2: ", f"{URN}bbb:x", REPLACING=f"{URN}aaa:x")
    first, _ = dispatched([eido.parse(one) for one in (OLD, NEW, backwards)]).assignments
    assert first.cleared_at is None


@pytest.mark.parametrize("other", [f"{URN}I1:elsewhere", "I1@cad.example", "I1"])
def test_where_no_incident_has_the_identifier_the_agencys_own_id_is_taken_and_that_is_said(other: str) -> None:
    plain = call("I1: 711 A Dispatched 21:00", "no tracking identifier")
    assert merges(plain, call("I2: ", REPLACED=other), NEW) == (Joined("I1", "I2", "internal"),)


def test_an_identifier_that_some_incident_has_is_never_taken_for_another_ones_own_id() -> None:
    """Two agencies may have an incident 1001 each."""
    ours = call("1001: 711 A Dispatched 21:00", f"{URN}ours:x")
    theirs = call("2002: 712 B Dispatched 21:00", f"{URN}1001:theirs")
    assert merges(ours, theirs, call("I2: ", REPLACED=f"{URN}1001:theirs")) == (Joined("2002", "I2", "tracking"),)


def test_a_split_and_a_merge_with_itself_join_nothing() -> None:
    assert merges(OLD, NEW, call("I2: ", SPLIT=f"{URN}aaa:x")) == ()
    assert merges(OLD, call("I1: ", f"{URN}aaa:x", REPLACED=f"{URN}aaa:x")) == ()
