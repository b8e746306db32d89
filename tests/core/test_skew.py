"""A camera's skew, where the dock could not look for a while."""

from __future__ import annotations

import pytest

from daemon.core.skew import docking_skew


@pytest.mark.parametrize(
    ("measured", "unseen", "skew"),
    [(0, 0, 0), (-30, 0, -30), (30, 0, 30), (-600, 700, 0), (-600, 500, -100), (30, 700, 30), (-30, 0.5, -29.5)],
)
def test_of_what_a_measurement_allows_the_least(measured: float, unseen: float, skew: float) -> None:
    assert docking_skew(measured, unseen) == skew
