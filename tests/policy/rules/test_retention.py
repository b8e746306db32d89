"""How long a clip is kept: the longest period that applies, and without end what nobody has classified."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from daemon.model.config import Retention
from daemon.policy.rules.retention import keep_until
from tests.policy.world import NOW

SCHEDULE = Retention.model_validate(
    {"days": 180, "by_trigger": {"sidearm": 400}, "by_force": {"deadly": 900}, "in_custody_death_days": 1000}
)


@pytest.mark.parametrize(
    ("trigger", "forces", "death", "days"),
    [
        ("button", [], False, 180),
        ("button", ["none"], False, 180),
        ("sidearm", ["none"], False, 400),
        ("sidearm", ["none", "deadly"], False, 900),
        ("button", ["none"], True, 1000),
    ],
)
def test_the_longest_period_counts_from_the_recording(trigger: str, forces: list[str], death: bool, days: int) -> None:
    assert keep_until(SCHEDULE, NOW, trigger, forces, death) == NOW + timedelta(days=days)


def test_an_unclassified_incident_is_kept_without_end() -> None:
    until = keep_until(SCHEDULE, NOW, "button", ["deadly", "unclassified"], False)
    assert until == datetime.max.replace(tzinfo=NOW.tzinfo)
