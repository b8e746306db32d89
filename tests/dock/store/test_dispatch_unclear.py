"""Of what time the clips are tagged anew when something is set aside: where it makes a difference, and no other."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.dock.store import dispatch_unclear
from daemon.dock.store.dispatch_unclear import MANY, DispatchUnclear
from tests.core.dispatch.calls import at

START = at("00:00")
spans = st.tuples(st.integers(0, 200), st.integers(0, 100)).map(lambda span: (hour(span[0]), hour(sum(span))))


def hour(number: int) -> datetime:
    return START + timedelta(hours=number)


def unclear() -> DispatchUnclear:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript(dispatch_unclear.SCHEMA)
    return DispatchUnclear(db)


@settings(max_examples=50, deadline=None)
@given(st.lists(spans, min_size=1, max_size=8))
def test_every_time_at_which_it_makes_a_difference_has_changed_and_no_other(
    about: list[tuple[datetime, datetime]],
) -> None:
    store = unclear()
    with mock.patch.object(dispatch_unclear, "MANY", 2):
        for number, span in enumerate(about):
            times = [hour(one) + timedelta(minutes=30) for one in range(-20, 360, 5)]
            before = [min(store.set_aside_between(time, time), 2) for time in times]
            assert store.note(str(number), "", START, span, [(0, "")])
            changed = store.drain_changed()
            for time, count in zip(times, before, strict=True):
                differs = min(store.set_aside_between(time, time), 2) != count
                assert differs == any(begin <= time <= end for begin, end in changed)


def test_a_flood_of_bad_documents_has_nothing_worked_out_anew_once_many_count() -> None:
    """One a minute: of the time of any clip that can be there yet, none after the tenth makes a difference."""
    store = unclear()
    for number in range(300):
        now = START + timedelta(minutes=number)
        store.note(str(number), "", now, (now, now), [(0, "no JSON")])
        changed = store.drain_changed()
        assert number < MANY or all(begin > now + timedelta(days=1) for begin, _ in changed)


def test_a_staircase_of_spans_takes_few_looks_and_what_lies_beyond_them_has_changed() -> None:
    store = unclear()
    with mock.patch.object(dispatch_unclear, "_STEPS", 3):
        for number in range(0, 400, 100):
            for copy in range(MANY):
                store.note(f"{number} {copy}", "", START, (hour(number), hour(number)), [(0, "")])
        store.drain_changed()
        store.note("all", "", START, (hour(0), hour(400)), [(0, "")])
    changed = store.drain_changed()
    assert any(begin <= hour(399) <= end for begin, end in changed)
    assert len(changed) <= 4
