"""Facts files: what they may look like, what is ignored, and how mistakes are named."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.model.errors import ConfigurationError
from daemon.policy.rules.decide import decide
from daemon.policy.rules.facts import Facts, load_facts
from daemon.policy.rules.question import question_of
from daemon.policy.rules.regime import bundled
from tests.policy.world import COURT_ORDER, NOW, OCCURRED, authorization, document, facts

NEGOTIATED = bundled("portland-negotiated-2023")
CITY = bundled("portland-city-offer-2023")
LATER = NOW + timedelta(milliseconds=1)
TOML = """
now = 2023-11-29T22:00:00Z
purpose = "report"
viewer = { person_id = "W1", roles = ["officer"] }
holds = ["h1", { hold_id = "h2" }]
[clip]
clip_id = "c1"
officer_id = "W1"
started_at = 2023-11-29T19:50:00-00:00
[incident]
incident_id = "i1"
force = "minimal"
occurred_at = "2023-11-29T20:00:00Z"
[[statements]]
officer_id = "W1"
to = "supervisor"
form = "unrecorded"
given_at = 2023-11-29T21:00:00Z
"""


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    toml, as_json = tmp_path / "facts.toml", tmp_path / "facts.json"
    toml.write_text(TOML)
    found = load_facts(toml)
    as_json.write_text(found.model_dump_json())
    assert load_facts(as_json) == found
    assert decide(NEGOTIATED, found).released


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", ["facts.json"]),
        ("[]", ["facts.json"]),
        ("[" * 100_000, ["facts.json"]),
        ('{"now": 1, "now": 2}', ["twice"]),
        ('{"now": "yesterday", "purpose": "gossip"}', ["now", "purpose", "clip", "viewer"]),
    ],
)
def test_a_bad_file_is_named_with_every_bad_field(tmp_path: Path, text: str, named: list[str]) -> None:
    path = tmp_path / "facts.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_facts(path)
    assert all(name in str(caught.value) for name in ["facts.json", *named])


def test_a_naive_toml_time_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "facts.toml"
    path.write_text(TOML.replace("now = 2023-11-29T22:00:00Z", "now = 2023-11-29T22:00:00"))
    with pytest.raises(ConfigurationError, match="now"):
        load_facts(path)
    with pytest.raises(ConfigurationError):
        load_facts(tmp_path / "missing.json")
    path.write_text("now = ")
    with pytest.raises(ConfigurationError):
        load_facts(path)


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ('purpose = "report"', 'purpose = "report"\npurpos = "x"', ["purpos:", "is purpose meant?"]),
        ('force = "minimal"', 'force = "minimal"\nforcee = "deadly"', ["incident.forcee", "is force meant?"]),
        ('to = "supervisor"', 'to = "supervisor"\nby = "S1"', ["statements.1.by", "known are officer_id"]),
        ('roles = ["officer"]', 'roles = ["superviser"]', ["superviser", "is supervisor meant?"]),
    ],
)
def test_what_a_facts_file_does_not_know_is_refused_with_the_closest(
    tmp_path: Path, before: str, after: str, named: list[str]
) -> None:
    path = tmp_path / "facts.toml"
    path.write_text(TOML.replace(before, after))
    with pytest.raises(ConfigurationError) as refused:
        load_facts(path)
    shown = f"{refused.value} {refused.value.hint}"
    assert all(name in shown for name in named), shown


def test_by_is_one_id_or_a_list_and_a_court_needs_two(tmp_path: Path) -> None:
    one = Facts.model_validate(document("none", "records", "court", authorizations=[authorization("records", "court")]))
    assert one.authorizations[0].by == ("C9",)
    for by, released in ((["R9", "C9"], True), (["R9"], False), (["R9", "R9"], False)):
        granted = authorization("records", "court", by=by, court_order=COURT_ORDER)
        found = Facts.model_validate(document("deadly", "records", "court", authorizations=[granted]))
        assert decide(NEGOTIATED, found).released is released, by


@pytest.mark.parametrize("kind", ["statements", "reports"])
def test_what_is_dated_before_the_incident_opens_nothing(kind: str) -> None:
    regime = NEGOTIATED if kind == "statements" else bundled("doj-preferred-2023")
    given = {("W1", "internal_affairs", "audio"), ("O1", "internal_affairs", "audio"), ("W1", "report", "")}
    found = facts("deadly", "wearer", "report", given)
    assert decide(regime, found).released
    field = "given_at" if kind == "statements" else "filed_at"
    early = tuple(one.model_copy(update={field: OCCURRED - timedelta(seconds=1)}) for one in getattr(found, kind))
    assert not decide(regime, found.model_copy(update={kind: early})).released


def test_a_clip_and_a_classification_of_different_incidents_do_not_mix() -> None:
    with pytest.raises(ValueError, match="different incidents"):
        facts("none", "wearer", "report", clip={**document("none", "wearer", "report")["clip"], "incident_id": "i2"})


def test_roles_are_recognised_however_they_are_spelled_and_strange_ones_give_nothing() -> None:
    made = document("none", "wearer", "report")
    made["viewer"] = {"person_id": "A1", "roles": ["Internal-Affairs", "sheriff"]}
    question, _ = question_of(Facts.model_validate(made))
    assert question.roles == {"internal_affairs"}


def without(*fields: str) -> dict[str, Any]:
    made = document("none", "wearer", "report")
    return {name: value for name, value in made.items() if name not in fields}


def test_no_incident_asserts_no_force_unless_the_clip_names_one() -> None:
    named = Facts.model_validate(without("incident"))
    assert question_of(named)[0].force == "unclassified"
    clip = {**document("none", "wearer", "report")["clip"], "incident_id": None}
    unnamed = Facts.model_validate({**without("incident"), "clip": clip})
    assert question_of(unnamed)[0].force == "none"
    assert decide(NEGOTIATED, unnamed).released


@pytest.mark.parametrize("tier", ["none", "deadly"])
def test_a_classification_of_something_later_than_now_is_none(tier: str) -> None:
    made = document(tier, "wearer", "report")
    at_now = Facts.model_validate({**made, "incident": {**made["incident"], "occurred_at": NOW}})
    later = Facts.model_validate({**made, "incident": {**made["incident"], "occurred_at": LATER}})
    assert question_of(at_now)[0].force == tier
    assert question_of(later)[0].force == "unclassified"


def test_a_statement_counts_at_its_instant_and_not_before() -> None:
    made = document("minimal", "wearer", "report", {("W1", "supervisor", "unrecorded")})
    for given_at, released in ((NOW, True), (LATER, False)):
        made["statements"][0]["given_at"] = given_at
        assert decide(NEGOTIATED, Facts.model_validate(made)).released is released


def test_a_report_counts_at_its_instant_and_not_before() -> None:
    doj = bundled("doj-preferred-2023")
    said = {("W1", "report", ""), ("W1", "internal_affairs", "audio"), ("O1", "internal_affairs", "video")}
    made = document("deadly", "wearer", "report", said)
    for filed_at, released in ((NOW, True), (LATER, False)):
        made["reports"][0]["filed_at"] = filed_at
        assert decide(doj, Facts.model_validate(made)).released is released


@pytest.mark.parametrize(
    ("change", "released"),
    [
        ({}, True),
        ({"expires_at": LATER}, True),
        ({"expires_at": NOW}, False),
        ({"issued_at": NOW}, True),
        ({"issued_at": LATER}, False),
        ({"by": "W1"}, False),
        ({"person_id": "O1"}, False),
        ({"purposes": ["court", "disposal"]}, False),
    ],
)
def test_which_authorizations_count(change: dict[str, Any], released: bool) -> None:
    made = facts("deadly", "wearer", "report", authorizations=[{**authorization("wearer", "report"), **change}])
    assert decide(CITY, made).released is released


def test_a_release_by_authorization_stands_until_that_runs_out() -> None:
    longest = NOW + timedelta(days=3)
    two = [authorization("wearer", "report"), authorization("wearer", "report", expires_at=longest)]
    assert decide(CITY, facts("deadly", "wearer", "report", authorizations=two)).stands_until == longest
    assert decide(CITY, facts("none", "wearer", "report", authorizations=two)).stands_until is None


def test_a_hold_keeps_footage_from_training_and_says_so() -> None:
    answer = decide(CITY, facts("none", "training", "training", holds=["h1"]))
    assert [(n.kind, n.from_) for n in answer.needs] == [("hold_lifted", "records")]
    assert decide(CITY, facts("none", "training", "training", holds=[{"hold_id": "h1", "at": LATER}])).released
    assert decide(CITY, facts("none", "wearer", "report", holds=["h1"])).released


def test_the_incident_without_a_time_has_no_deadline() -> None:
    made = document("deadly", "wearer", "report")
    timeless = Facts.model_validate({**made, "incident": {**made["incident"], "occurred_at": None}})
    assert [n.by for n in decide(NEGOTIATED, timeless).needs] == [None]
    assert [n.by for n in decide(NEGOTIATED, Facts.model_validate(made)).needs] == [OCCURRED + timedelta(hours=48)]
    assert json.dumps(decide(NEGOTIATED, timeless).document())
