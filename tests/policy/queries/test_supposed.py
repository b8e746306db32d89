"""`decision`: what would follow if. A supposed word counts exactly as a given one, and leaves no trace."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from daemon.model.times import format_instant
from tests.kit.agency import CLIP, NOW, OTHER_CLIP
from tests.kit.policy_fixture import INCIDENT
from tests.policy.queries.asking import Desk


def asked(*suppose: dict[str, Any], person: str = "officer", clip: str = CLIP, purpose: str = "report") -> Any:
    return {"what": "decision", "clip_id": clip, "person_id": person, "purpose": purpose, "suppose": suppose}


def classified(force: str = "none", by: str = "supervisor", **changes: Any) -> dict[str, Any]:
    at = format_instant(NOW)
    statement = {
        "incident_id": INCIDENT,
        "force": force,
        "in_custody_death": False,
        "involved": ["officer"] if force != "none" else [],
        "occurred_at": format_instant(NOW - timedelta(hours=2)),
        "classified_at": at,
    }
    return {"by": by, "kind": "classification", "statement": statement | changes}


def test_what_would_follow_is_what_follows_when_it_is_said(desk: Desk) -> None:
    desk.office.announce(desk.office.notice())
    [before], _ = desk.ask("supervisor", asked())
    assert (before["outcome"], before["needs"][0]["kind"]) == ("refused", "classification")
    [supposed], _ = desk.ask("supervisor", asked(classified()))
    assert supposed["outcome"] == "released"
    desk.office.classify("none")
    assert desk.office.ask("officer", CLIP)["outcome"] == "released"
    assert desk.ask("supervisor", asked())[0][0]["because"] == supposed["because"]


def test_what_was_supposed_opens_nothing_and_is_kept_nowhere(desk: Desk) -> None:
    desk.office.announce(desk.office.notice())
    refused = desk.office.ask("officer", CLIP)
    entries = desk.office.context.custody.size
    assert desk.ask("supervisor", asked(classified()))[0][0]["outcome"] == "released"
    desk.office.clock.turn(hours=1)
    desk.office.tick()
    assert desk.office.decision("officer", refused["request_id"])["outcome"] == "refused"
    assert desk.office.orders(CLIP) == [] and desk.office.context.custody.size == entries
    assert desk.ask("supervisor", {"what": "words", "clip_id": CLIP})[0] == []
    assert desk.ask("supervisor", asked())[0][0]["outcome"] == "refused"


@pytest.mark.parametrize("by", ["sergeant", "affairs"])
def test_a_conflicted_word_opens_nothing_in_supposition_either(desk: Desk, by: str) -> None:
    desk.office.announce(desk.office.notice())
    desk.office.announce(desk.office.notice(OTHER_CLIP, officer="sergeant"))
    [row], _ = desk.ask("affairs", asked(classified(by=by)))
    assert row["outcome"] == ("refused" if by == "sergeant" else "released")


def test_a_classification_that_names_the_clip_attaches_it(desk: Desk) -> None:
    desk.office.announce(desk.office.notice(incidents=()))
    supposed = classified("deadly", by="affairs", incident_id="23-7", clip_ids=[CLIP])
    [row], _ = desk.ask("supervisor", asked(supposed))
    assert row["outcome"] == "refused" and {need.get("incident_id") for need in row["needs"]} == {"23-7"}


@pytest.mark.parametrize(("by", "outcome"), [("sergeant", "refused"), ("affairs", "released")])
def test_whoever_was_in_the_incident_it_would_be_attached_to_is_conflicted_there_too(
    desk: Desk, by: str, outcome: str
) -> None:
    desk.office.announce(desk.office.notice(incidents=()))
    desk.office.announce(desk.office.notice(OTHER_CLIP, officer="sergeant", incidents=("23-7",)))
    [row], _ = desk.ask("affairs", asked(classified(by=by, incident_id="23-7", clip_ids=[CLIP])))
    assert row["outcome"] == outcome


@pytest.mark.parametrize(
    ("supposed", "why"),
    [
        (classified(by="officer"), "role"),
        (classified(by="nobody"), "not enrolled"),
        (classified(incident_id="23-9"), "not about clip"),
        (classified(force="cruel"), "force"),
        (classified(classified_at=format_instant(NOW + timedelta(hours=1))), "future"),
        ({"by": "supervisor", "kind": "classification", "statement": {}}, "required"),
        (
            {
                "by": "affairs",
                "kind": "withdrawal",
                "statement": {"attestation_sha256": "ab" * 32, "reason": "", "at": format_instant(NOW)},
            },
            "not about clip",
        ),
    ],
)
def test_what_nobody_could_sign_cannot_be_supposed(desk: Desk, supposed: dict[str, Any], why: str) -> None:
    desk.office.announce(desk.office.notice())
    reason = desk.refused("supervisor", asked(supposed))
    assert reason.startswith("suppose[0]") and why in reason


def test_whoever_has_no_such_role_asks_about_themselves_and_supposes_nothing(desk: Desk) -> None:
    desk.office.announce(desk.office.notice())
    assert desk.ask("officer", asked())[0][0]["outcome"] == "refused"
    assert "about yourself" in desk.refused("officer", asked(person="partner"))
    assert "suppose nothing" in desk.refused("officer", asked(classified()))


def test_a_clip_that_nobody_announced_is_a_refusal_too(desk: Desk) -> None:
    [row], _ = desk.ask("supervisor", asked())
    assert row["because"][0]["policy_id"] == "unknown-clip"


def test_a_supposed_word_meets_what_was_said_of_the_incident_that_it_attaches_the_clip_to(desk: Desk) -> None:
    desk.office.announce(desk.office.notice(incidents=()))
    desk.office.classify("deadly", by="affairs", involved=["partner"], incident_id="23-7")
    [row], _ = desk.ask("affairs", asked(classified(incident_id="23-7", clip_ids=[CLIP])))
    assert row["outcome"] == "refused"


def test_so_many_people_that_an_answer_would_take_long_are_refused(desk: Desk) -> None:
    desk.office.announce(desk.office.notice())
    people = [f"p{number}" for number in range(21)]
    assert "names 21 people" in desk.refused("supervisor", asked(classified("deadly", involved=people)))
    assert desk.ask("supervisor", asked(classified("deadly", involved=people[:20])))[0][0]["outcome"] == "refused"
