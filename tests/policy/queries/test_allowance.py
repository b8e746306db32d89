"""How often one person may ask."""

from __future__ import annotations

from daemon.policy.queries.allowance import Allowance


def test_a_burst_and_then_one_every_two_seconds() -> None:
    allowance = Allowance()
    assert [allowance.take("a", 0.0) for _ in range(60)] == [0.0] * 60
    assert allowance.take("a", 0.0) == 2.0
    assert allowance.take("a", 1.0) == 1.0
    assert allowance.take("a", 2.0) == 0.0
    assert allowance.take("b", 2.0) == 0.0
    assert [allowance.take("a", 1000.0) for _ in range(61)] == [0.0] * 60 + [2.0]


def test_it_does_not_grow_without_end() -> None:
    allowance = Allowance()
    for number in range(60):
        assert allowance.take("first", 0.0) == 0.0, number
    for number in range(10_000):
        allowance.take(str(number), 0.0)
    assert allowance.take("first", 0.0) == 0.0, "whoever asked longest ago is forgotten"
