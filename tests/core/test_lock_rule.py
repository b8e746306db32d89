"""The review lock: denied by default, open only while both clocks and every fact agree."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as hs

from daemon.core.lock_rule import Order, Reading, deadline, lock_of
from tests.kit.agency import NOW

READING = Reading(NOW, boot=1000.0, trusted=True)
LIVE = Order("o", "officer", "report", NOW + timedelta(days=1), 1000.0 + 86400)


def order(**changes: object) -> Order:
    return Order(**(LIVE.__dict__ | changes))


orders = hs.builds(
    Order,
    hs.just("o"),
    hs.just("p"),
    hs.just("report"),
    hs.integers(-5, 5).map(lambda s: NOW + timedelta(seconds=s)),
    hs.integers(995, 1005).map(float),
    hs.booleans(),
    hs.booleans(),
)


def test_denied_by_default() -> None:
    assert lock_of([], READING, quarantined=False).state == "locked"


def test_a_live_order_opens() -> None:
    assert lock_of([LIVE], READING, quarantined=False).state == "released"
    assert lock_of([order(revoked=True), LIVE], READING, quarantined=False).state == "released"


@pytest.mark.parametrize(
    ("changed", "reading", "quarantined"),
    [
        (order(revoked=True), READING, False),
        (order(expired=True), READING, False),
        (order(expires_at=NOW), READING, False),
        (order(deadline=1000.0), READING, False),
        (LIVE, Reading(NOW, 1000.0, trusted=False), False),
        (LIVE, READING, True),
    ],
    ids=[
        "revoked",
        "expired before",
        "expired by the wall clock",
        "by the boot clock",
        "untrusted clock",
        "quarantine",
    ],
)
def test_every_doubt_locks(changed: Order, reading: Reading, quarantined: bool) -> None:
    view = lock_of([changed], reading, quarantined=quarantined)
    assert view.state == "locked"
    assert view.reason


def test_each_doubt_is_told_apart() -> None:
    reasons = {
        lock_of(given_orders, READING, quarantined=inside).reason
        for given_orders, inside in (
            ([], False),
            ([order(revoked=True)], False),
            ([order(expired=True)], False),
            ([], True),
        )
    }
    assert len(reasons) == 4


def test_expiry_is_exact() -> None:
    before = Reading(NOW + timedelta(days=1, milliseconds=-1), 1000.0, trusted=True)
    assert LIVE.state(before) == "live"
    assert LIVE.state(Reading(NOW + timedelta(days=1), 1000.0, trusted=True)) == "expired"
    assert LIVE.state(Reading(NOW, LIVE.deadline - 0.001, trusted=True)) == "live"
    assert LIVE.state(Reading(NOW, LIVE.deadline, trusted=True)) == "expired"


@given(hs.lists(orders, max_size=4), hs.booleans(), hs.booleans())
def test_released_exactly_when_some_order_holds_in_every_way(found: list[Order], trusted: bool, inside: bool) -> None:
    holds = any(not o.revoked and not o.expired and o.expires_at > NOW and o.deadline > 1000.0 for o in found)
    view = lock_of(found, Reading(NOW, 1000.0, trusted), quarantined=inside)
    assert (view.state == "released") == (holds and trusted and not inside)


@given(orders, hs.integers(0, 10), hs.integers(0, 10))
def test_an_order_never_comes_back(one: Order, wall: int, boot: int) -> None:
    """Whatever both clocks do from here on, as long as they run forward."""
    later = Reading(NOW + timedelta(seconds=wall), 1000.0 + boot, trusted=True)
    if one.state(READING) != "live":
        assert one.state(later) == one.state(READING)


@given(hs.integers(-100, 100), hs.none() | hs.floats(-50, 50))
def test_a_deadline_gives_no_order_more_time(seconds: int, remaining: float | None) -> None:
    left = math.inf if remaining is None else remaining
    ends = deadline(NOW + timedelta(seconds=seconds), READING, left)
    assert ends == 1000.0 + max(0.0, min(float(seconds), left))
