"""A few of the broker's faults, one of each sort; all of them: python -m tests.broker.faults"""

from __future__ import annotations

import pytest

from tests.broker import faults
from tests.kit.mosquitto import program

pytestmark = pytest.mark.xdist_group("broker")


@pytest.mark.parametrize(
    "names",
    [
        ("killed_without_persistence",),
        ("policy_may_not_speak", "session_taken_over"),
        ("policy_from_backup",),
    ],
    ids=lambda names: names[0],
)
def test_nothing_is_lost(names: tuple[str, ...]) -> None:
    program()
    result = faults.run(len(names), 3, names)
    assert result["problems"] == []
    assert (result["broker_faults"], result["lost"]) == (len(names), 0)


def test_there_is_a_scenario_for_every_sort_of_fault() -> None:
    assert len(faults.SCENARIOS) >= 20
