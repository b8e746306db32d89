"""Answers: their form, several incidents at once, deadlines, and what holds for every sequence of facts."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.policy.rules.cedar import ask
from daemon.policy.rules.decide import Ruling, clip_standing, combine, decide
from daemon.policy.rules.facts import Facts
from daemon.policy.rules.question import question_of
from daemon.policy.rules.regime import bundled, bundled_names
from tests.policy.world import COURT_ORDER, NOW, OCCURRED, TIERS, VIEWERS, authorization, document, facts

REGIMES = {name: bundled(name) for name in bundled_names()}
NEGOTIATED = REGIMES["portland-negotiated-2023"]
PURPOSES = ("report", "statement", "interview", "investigation", "supervision", "training", "court")
PEOPLE = ("W1", "O1", "T1", "N1", "X1", "A1")

people = st.sampled_from(PEOPLE)
times = st.integers(-5, 5).map(lambda hours: NOW + timedelta(hours=hours))
statements = st.fixed_dictionaries(
    {
        "officer_id": people,
        "to": st.sampled_from(["supervisor", "internal_affairs"]),
        "form": st.sampled_from(["unrecorded", "audio", "video"]),
        "given_at": times,
    }
)
reports = st.fixed_dictionaries({"officer_id": people, "filed_at": times})
authorizations = st.fixed_dictionaries(
    {
        "person_id": people,
        "purposes": st.lists(st.sampled_from(PURPOSES), min_size=1, max_size=7),
        "expires_at": times,
        "by": st.sampled_from(["C1", "A1"]),
    }
)
scenes = st.fixed_dictionaries(
    {
        "tier": st.sampled_from(sorted(TIERS)),
        "viewer": st.sampled_from(sorted(VIEWERS)),
        "purpose": st.sampled_from(PURPOSES),
        "statements": st.lists(statements, max_size=6),
        "reports": st.lists(reports, max_size=4),
        "authorizations": st.lists(authorizations, max_size=3),
    }
)
names = st.sampled_from(sorted(REGIMES))


def build(scene: dict[str, Any], **more: Any) -> Facts:
    return facts(**{**scene, **more})


def test_the_document_has_exactly_the_published_form() -> None:
    assert decide(NEGOTIATED, facts("deadly", "wearer", "report")).document() == {
        "outcome": "refused",
        "because": [
            {
                "policy_id": "default-deny",
                "reason": "no rule of this regime lets this person view it for this purpose yet",
            },
            {
                "policy_id": "negotiated-deadly-force-or-death",
                "reason": NEGOTIATED.rules["negotiated-deadly-force-or-death"].reason,
            },
        ],
        "needs": [
            {
                "kind": "statement",
                "from": "internal_affairs",
                "form": "audio",
                "officer_id": "W1",
                "incident_id": "i1",
                "by": "2023-12-01T20:00:00.000Z",
            }
        ],
    }


def test_a_release_names_the_rule_and_the_gates_it_waited_for() -> None:
    said = {(officer, "internal_affairs", "audio") for officer in ("W1", "O1")}
    answer = decide(NEGOTIATED, facts("deadly", "internal affairs", "investigation", said))
    assert [b.policy_id for b in answer.because] == ["investigators", "negotiated-deadly-force-or-death"]
    assert answer.needs == ()


def test_internal_affairs_is_refused_by_name_and_needs_every_officer() -> None:
    answer = decide(
        NEGOTIATED, facts("deadly", "internal affairs", "investigation", {("W1", "internal_affairs", "audio")})
    )
    assert "negotiated-deadly-force-internal-affairs" in [b.policy_id for b in answer.because]
    assert [(n.officer_id, n.by) for n in answer.needs] == [("O1", OCCURRED + timedelta(hours=48))]


OFFICIALS = [
    ("supervision", "supervisor"),
    ("investigation", "detective"),
    ("interview", "detective"),
    ("investigation", "internal_affairs"),
]


@pytest.mark.parametrize(("purpose", "role"), OFFICIALS)
@pytest.mark.parametrize("tier", ["deadly", "minimal", "death", "none"])
def test_with_force_or_a_death_a_gate_over_nobody_is_closed(tier: str, purpose: str, role: str) -> None:
    made = document(tier, "witness wearer", purpose)
    made["incident"] |= {"involved": [], "witnesses": ["T1"]}
    made["viewer"] = {"person_id": "A1", "roles": [role]}
    for name, regime in REGIMES.items():
        assert decide(regime, Facts.model_validate(made)).released == (tier == "none"), name


def test_an_authorization_is_for_one_person_and_opens_no_gate_for_others() -> None:
    city = REGIMES["portland-city-offer-2023"]
    chief = [authorization("supervisor", "supervision")]
    answer = decide(city, facts("deadly", "supervisor", "supervision", authorizations=chief))
    assert [b.policy_id for b in answer.because] == ["city-authorization"]


def test_officers_are_named_in_the_order_of_their_ids() -> None:
    made = document("deadly", "unnamed wearer", "investigation")
    made["viewer"] = {"person_id": "A1", "roles": ["internal_affairs"]}
    assert [n.officer_id for n in decide(NEGOTIATED, Facts.model_validate(made)).needs] == ["N1", "O1", "W1"]


def test_whoever_is_named_involved_and_witness_is_involved() -> None:
    made = document("deadly", "wearer", "report")
    made["incident"]["witnesses"] = ["W1", "T1"]
    assert not decide(NEGOTIATED, Facts.model_validate(made)).released


def test_a_gate_over_nobody_needs_somebody_to_say_who_was_involved() -> None:
    made = document("deadly", "witness wearer", "investigation")
    made["incident"] |= {"involved": [], "witnesses": ["T1"]}
    assert [n.kind for n in decide(NEGOTIATED, Facts.model_validate(made)).needs] == ["classification"]
    told = [{"officer_id": "T1", "to": "internal_affairs", "form": "audio", "given_at": NOW}]
    chief = [authorization("witness wearer", "investigation")]
    more = Facts.model_validate({**made, "statements": told, "authorizations": chief})
    assert not decide(NEGOTIATED, more).released
    doj = {**made, "purpose": "report", "statements": told, "reports": [{"officer_id": "T1", "filed_at": NOW}]}
    assert not decide(REGIMES["doj-preferred-2023"], Facts.model_validate(doj)).released


def test_a_clip_in_several_incidents_opens_only_when_each_would_open_it() -> None:
    open_, deadly = facts("none", "wearer", "report"), facts("deadly", "wearer", "report")
    released, refused = decide(NEGOTIATED, open_), decide(NEGOTIATED, deadly)
    assert combine([released]) == released
    assert combine([released, refused, refused]) == refused
    assert combine([refused, released]).needs == refused.needs
    ends = [replace(released, stands_until=NOW + timedelta(hours=hours)) for hours in (1, 0, 2)]
    assert combine([released, *ends]).stands_until == NOW
    with pytest.raises(ValueError, match="no rulings"):
        combine([])


def test_the_deadline_is_due_then_overdue_and_unlocks_nothing() -> None:
    made = document("deadly", "supervisor", "supervision")
    due = OCCURRED + timedelta(hours=48)
    for now, overdue in ((NOW, False), (due, False), (due + timedelta(milliseconds=1), True)):
        then = Facts.model_validate({**made, "now": now})
        stands = clip_standing(NEGOTIATED, then)
        assert (stands.force, stands.due, stands.overdue) == ("deadly", due, overdue)
        assert [n.officer_id for n in stands.needs] == ["O1", "W1"]
        assert not decide(NEGOTIATED, then).released
    said = {(officer, "internal_affairs", "video") for officer in ("W1", "O1")}
    assert clip_standing(NEGOTIATED, facts("deadly", "supervisor", "supervision", said)).needs == ()


def test_a_rule_that_fails_to_evaluate_is_a_refusal_and_says_so() -> None:
    failing = 'forbid (principal, action, resource) when { resource.wearer.roles.contains(Role::"chief") };'
    text = f'@id("x") permit (principal, action, resource);\n@id("y") {failing}'
    broken = replace(NEGOTIATED, policy_set=cedarpy.PolicySet.from_str(text))
    asked = facts("none", "supervisor", "supervision")
    assert not ask(broken, question_of(asked)[0]).allowed
    answer = decide(broken, asked)
    assert answer.outcome == "refused"
    assert [b.policy_id for b in answer.because] == ["evaluation-error"]


@given(scene=scenes, tier=st.sampled_from(["deadly", "death", "serious_death"]))
@settings(max_examples=150, deadline=None)
def test_no_sequence_of_facts_opens_deadly_footage_to_internal_affairs_early(scene: dict[str, Any], tier: str) -> None:
    for viewer in [name for name, (_, roles) in VIEWERS.items() if "internal_affairs" in roles]:
        made = build(scene, tier=tier, viewer=viewer)
        heard = {
            s.officer_id
            for s in made.statements
            if s.to == "internal_affairs" and s.form != "unrecorded" and s.given_at <= NOW
        }
        if ask(NEGOTIATED, question_of(made)[0]).allowed:
            assert heard >= {"W1", "O1"}


@given(scene=scenes, name=names, statement=statements, report=reports)
@settings(max_examples=150, deadline=None)
def test_saying_more_never_closes_what_was_open(scene: dict[str, Any], name: str, statement: Any, report: Any) -> None:
    more = build(scene, statements=[*scene["statements"], statement], reports=[*scene["reports"], report])
    if ask(REGIMES[name], question_of(build(scene))[0]).allowed:
        assert ask(REGIMES[name], question_of(more)[0]).allowed


@given(scene=scenes, name=names)
@settings(max_examples=100, deadline=None)
def test_facts_later_than_now_change_nothing(scene: dict[str, Any], name: str) -> None:
    known = {
        "statements": [s for s in scene["statements"] if s["given_at"] <= NOW],
        "reports": [r for r in scene["reports"] if r["filed_at"] <= NOW],
    }
    assert decide(REGIMES[name], build(scene)) == decide(REGIMES[name], build(scene, **known))


@given(scene=scenes, name=names, seed=st.integers())
@settings(max_examples=100, deadline=None)
def test_the_order_of_facts_and_the_names_of_people_change_nothing(scene: dict[str, Any], name: str, seed: int) -> None:
    mixed = {key: random.Random(seed).sample(scene[key], len(scene[key])) for key in ("statements", "reports")}
    answer = decide(REGIMES[name], build(scene))
    assert answer == decide(REGIMES[name], build(scene, **mixed))
    renamed = build(scene).model_dump_json()
    for number, person in enumerate(PEOPLE):
        renamed = renamed.replace(f'"{person}"', f'"Z{9 - number}"')
    other = decide(REGIMES[name], Facts.model_validate_json(renamed))
    assert (other.outcome, other.because, len(other.needs)) == (answer.outcome, answer.because, len(answer.needs))


@given(scene=scenes, name=names)
@settings(max_examples=60, deadline=None)
def test_what_is_needed_opens_it_and_nothing_in_it_is_idle(scene: dict[str, Any], name: str) -> None:
    answer = decide(REGIMES[name], build(scene))
    if any(need.kind == "classification" for need in answer.needs):
        return

    def supplied(needs: list[Any]) -> Ruling:
        kinds = {need.kind for need in needs}
        chief = [authorization(scene["viewer"], scene["purpose"])] if "authorization" in kinds else []
        if "court_order" in kinds:
            order = {"by": ["R9", "C9"], "court_order": COURT_ORDER}
            chief.append(authorization(scene["viewer"], scene["purpose"], **order))
        said = [
            {"officer_id": n.officer_id, "to": n.from_, "form": n.form, "given_at": NOW}
            for n in needs
            if n.kind == "statement"
        ]
        filed = [{"officer_id": n.officer_id, "filed_at": NOW} for n in needs if n.kind == "report"]
        return decide(
            REGIMES[name],
            build(
                scene,
                statements=scene["statements"] + said,
                reports=scene["reports"] + filed,
                authorizations=scene["authorizations"] + chief,
            ),
        )

    needs = list(answer.needs)
    assert supplied(needs).released == (answer.released or bool(needs))
    for left_out in range(len(needs)):
        assert not supplied(needs[:left_out] + needs[left_out + 1 :]).released
