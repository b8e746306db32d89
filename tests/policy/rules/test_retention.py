"""How long a clip is kept: the longest that any word demands, and without end what nobody has classified."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as hs

from daemon.model.config import Retention
from daemon.model.disposal_report import KeptBy
from daemon.model.statements import Label
from daemon.policy.rules.facts import IncidentFacts
from daemon.policy.rules.retention import keep_until, longest_demand
from tests.kit.agency import CLIP
from tests.policy.world import NOW

SCHEDULE = Retention.model_validate(
    {
        "days": 200,
        "by_trigger": {"sidearm": 400},
        "by_force": {"deadly": 900},
        "in_custody_death_days": 1000,
        "categories": {"traffic": 30, "dui": 730},
    }
)


def incident(force: str, **changes: Any) -> IncidentFacts:
    return IncidentFacts.model_validate({"incident_id": "I1", "force": force} | changes)


def label(category: str, by: str = "51234", **changes: Any) -> tuple[str, Label]:
    return by, Label.model_validate({"clip_id": CLIP, "category": category, "at": NOW} | changes)


@pytest.mark.parametrize(
    ("trigger", "incidents", "labels", "expected"),
    [
        ("button", [], [], {"kind": "default", "days": 200}),
        ("button", [incident("none")], [], {"kind": "default", "days": 200}),
        ("sidearm", [incident("none")], [], {"kind": "trigger", "trigger": "sidearm", "days": 400}),
        (
            "sidearm",
            [incident("none"), incident("deadly", incident_id="I2")],
            [],
            {"kind": "force", "force": "deadly", "incident_id": "I2", "days": 900},
        ),
        (
            "button",
            [incident("none", in_custody_death=True)],
            [label("dui")],
            {"kind": "death", "incident_id": "I1", "days": 1000},
        ),
        (
            "button",
            [incident("none")],
            [label("traffic"), label("dui", case_number="23CR-1")],
            {"kind": "label", "by": "51234", "category": "dui", "case_number": "23CR-1", "days": 730},
        ),
        ("button", [incident("none")], [label("traffic")], {"kind": "default", "days": 200}),
        (
            "button",
            [incident("deadly")],
            [label("traffic")],
            {"kind": "force", "force": "deadly", "incident_id": "I1", "days": 900},
        ),
        (
            "button",
            [incident("none")],
            [label("gone", by="41001")],
            {"kind": "label", "by": "41001", "category": "gone", "days": 913},
        ),
        (
            "sidearm",
            [incident("deadly"), incident("unclassified", incident_id="I2")],
            [label("dui")],
            {"kind": "unclassified", "incident_id": "I2"},
        ),
    ],
)
def test_the_longest_word_sets_the_date_and_is_named(
    trigger: str, incidents: list[IncidentFacts], labels: list[tuple[str, Label]], expected: dict[str, Any]
) -> None:
    found = longest_demand(SCHEDULE, trigger, incidents, labels)
    assert found == KeptBy.model_validate(expected)
    days = expected.get("days")
    assert keep_until(NOW, found) == (NOW + timedelta(days=days) if days else None)


def test_no_schedule_keeps_less_than_the_law() -> None:
    lax = Retention.model_validate({"days": 30, "minimum_days": 180})
    assert longest_demand(lax, "button", [], []).days == 180


_incidents = hs.lists(hs.sampled_from(["none", "minimal", "deadly"]).map(incident), max_size=2)
_labels = hs.lists(hs.sampled_from(["traffic", "dui", "gone"]).map(label), max_size=2)


@given(
    trigger=hs.sampled_from(["button", "sidearm"]),
    said=hs.tuples(_incidents, _labels),
    more=hs.tuples(_incidents, _labels),
)
def test_no_word_ever_shortens(trigger: str, said: tuple[Any, Any], more: tuple[Any, Any]) -> None:
    before = longest_demand(SCHEDULE, trigger, *said).days
    after = longest_demand(SCHEDULE, trigger, said[0] + more[0], said[1] + more[1]).days
    assert before is not None and after is not None and after >= before
