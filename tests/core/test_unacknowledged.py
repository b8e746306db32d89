"""How long the oldest notice waits: never less than it does, and at most ten seconds more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from daemon.core.unacknowledged import Unacknowledged


def test_what_is_acknowledged_waits_no_longer() -> None:
    waiting = Unacknowledged()
    assert waiting.age(0.0, newest=3, through=3) == 0
    assert waiting.age(100.0, newest=4, through=3) == 0
    assert waiting.age(160.0, newest=9, through=3) == 60
    assert waiting.age(170.0, newest=9, through=4) == 10, "the later ones came at 160"
    assert waiting.age(180.0, newest=9, through=9) == 0


def test_a_policy_service_that_falls_back_makes_them_wait_from_now_on() -> None:
    waiting = Unacknowledged()
    waiting.age(0.0, newest=5, through=5)
    assert waiting.age(50.0, newest=5, through=2) == 0
    assert waiting.age(60.0, newest=5, through=2) == 10


steps = st.lists(st.tuples(st.floats(0.1, 40), st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=40)


@given(steps)
def test_it_is_right_within_ten_seconds(steps: list[tuple[float, int, int]]) -> None:
    waiting, now, newest, through = Unacknowledged(), 0.0, 0, 0
    came: dict[int, float] = {}
    for passes, more, acknowledged in steps:
        now += passes
        for _ in range(more):
            newest += 1
            came[newest] = now
        through = min(newest, through + acknowledged)
        exact = now - min((at for sequence, at in came.items() if sequence > through), default=now)
        found = waiting.age(now, newest, through)
        assert exact <= found + 1e-9 and found <= exact + 10 + 1e-9
