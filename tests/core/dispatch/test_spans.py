"""Spans of time, merged."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from daemon.core.dispatch.spans import Span, merged

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(hours: int) -> datetime:
    return START + timedelta(hours=hours)


SPANS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 8)).map(lambda t: (at(t[0]), at(t[0] + t[1]))), max_size=12
)


@given(SPANS)
def test_the_same_times_as_fewer_spans(spans: list[Span]) -> None:
    found = merged(spans)
    assert all(first[1] < second[0] for first, second in itertools.pairwise(found))
    for hour in range(40):
        moment = at(hour)
        assert any(b <= moment <= e for b, e in spans) == any(b <= moment <= e for b, e in found)


def test_spans_that_touch_become_one() -> None:
    assert merged([(at(4), at(5)), (at(0), at(2)), (at(2), at(3)), (at(1), at(2))]) == [(at(0), at(3)), (at(4), at(5))]
