"""A shift is asked about incident by incident, and only what is confirmed is signed, all of it at the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest

from daemon.cli.attest import attesting as visits
from daemon.cli.attest import confirm, sign
from daemon.cli.attest.attesting import Attesting
from daemon.cli.attest.confirm import Shift, classify_shift
from daemon.cli.shared.person import Caller
from daemon.model.config import Broker
from daemon.model.errors import ConfigurationError
from daemon.model.query_results import ListedClip
from daemon.model.topics import Topics
from daemon.seal.private_keys import new_pair
from tests.cli.attest.office import ME, Office, classifications, opened
from tests.cli.attest.world import EVENING, PEOPLE, PORTLAND, clip, clip_id, listed

NOTHING: dict[str, Any] = {
    "incident_id": None,
    "clip_ids": (),
    "force": None,
    "in_custody_death": False,
    "involved": (),
    "witnesses": (),
    "occurred_at": None,
    "classified_at": None,
}
SPAN = "2026-11-27 20:00/2026-11-28 06:00"
NIGHT = [
    listed(clip(1, "A"), "A"),
    listed(clip(2, "A", officer="52345"), "A"),
    listed(clip(3)),
    listed(clip(4, "B"), "B"),
    listed(clip(5, "B", officer=ME), "B", conflict="wore this clip's camera, or may have"),
]
Asked = Callable[..., list[str]]


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> type[Office]:
    made = opened()
    monkeypatch.setattr(sign, "Session", made)
    monkeypatch.setattr(visits, "hear_dispatched", lambda *_: set())
    return made


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Runs the proposal; returns what was asked."""
    new_pair(tmp_path, ME)
    caller = Caller(ME, tmp_path, Broker(url="mqtt://127.0.0.1:9"), Topics("portland"))

    def run(
        world: list[ListedClip], *answers: bool | None, yes: bool = False, as_json: bool = False, **how: Any
    ) -> list[str]:
        asked: list[str] = []

        def answer(question: str, **_: object) -> bool:
            asked.append(question)
            said = answers[len(asked) - 1]
            if said is None:
                raise click.Abort
            return said

        monkeypatch.setattr(confirm, "list_clips", lambda *_: world)
        monkeypatch.setattr(click, "confirm", answer)
        visit = Attesting(caller, PORTLAND, PEOPLE, how.pop("anyway", False), as_json)
        classify_shift(visit, Shift(how.pop("span", SPAN), NOTHING | how, yes))
        return asked

    return run


Captured = pytest.CaptureFixture[str]


def test_only_what_is_confirmed_is_signed(ask: Asked, office: type[Office], capsys: Captured) -> None:
    assert len(ask(NIGHT, True, False)) == 2, "one question an incident, and one for a clip of none"
    [said] = classifications(office)
    assert (said.incident_id, said.clip_ids, said.force, said.in_custody_death) == ("A", (), "none", False)
    assert said.occurred_at == EVENING + timedelta(hours=1, seconds=30)
    told = capsys.readouterr()
    assert "incident A: 2 clips of 2 officers" in told.err and "no incident: 1 clip of 1 officer" in told.err
    assert office.published[0] in told.out and clip_id(4) in told.out, "what is left is listed"


def test_a_clip_of_no_incident_is_named_itself(ask: Asked, office: type[Office]) -> None:
    ask(NIGHT, False, True)
    [said] = classifications(office)
    assert (said.incident_id, said.clip_ids) == (None, (clip_id(3),))


def test_what_is_said_of_one_is_said_of_all(ask: Asked, office: type[Office]) -> None:
    [question, _] = ask(NIGHT, True, True, force="minimal", involved=("51234",), witnesses=("52345",))
    assert "minimal force" in question and "51234 (Officer Lee)" in question
    assert {(one.force, one.involved, one.witnesses) for one in classifications(office)} == {
        ("minimal", ("51234",), ("52345",))
    }


def test_stopping_before_the_end_signs_nothing(ask: Asked, office: type[Office]) -> None:
    with pytest.raises(click.Abort):
        ask(NIGHT, True, None)
    assert office.published == []


def test_yes_asks_nothing_and_prints_one_document(ask: Asked, office: type[Office], capsys: Captured) -> None:
    assert ask(NIGHT, yes=True, as_json=True) == []
    document = json.loads(capsys.readouterr().out)
    assert document["accepted"] == office.published == [group["digest"] for group in document["groups"]]
    assert [(group["incident_id"], group["clip_ids"]) for group in document["groups"]] == [
        ("A", [clip_id(1), clip_id(2)]),
        (None, [clip_id(3)]),
    ]
    assert [each["clip_ids"] for each in document["left"]] == [[clip_id(4), clip_id(5)]]


def test_somebody_who_is_not_enrolled_is_refused_before_anything_is_asked(ask: Asked, office: type[Office]) -> None:
    with pytest.raises(ConfigurationError):
        ask(NIGHT, force="serious")  # nobody involved
    with pytest.raises(Exception, match="nothing is signed"):
        ask(NIGHT, force="serious", involved=("51243",))
    assert office.published == []


def test_where_nothing_is_listed_nothing_is_asked(ask: Asked, office: type[Office]) -> None:
    assert ask([]) == [] and office.published == []
