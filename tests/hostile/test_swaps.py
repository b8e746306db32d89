"""A quick share of `swaps`."""

from __future__ import annotations

from tests.hostile import swaps


def test_a_name_that_is_swapped_while_it_is_opened() -> None:
    told = swaps.run(10_000, 1)
    assert told["escaped"] == 0
    assert told["naive_leaks"], "the swapping leads astray whoever looks and then opens"
    assert told["caught"] and told["let_through"]
