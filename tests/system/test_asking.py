"""`bwc ask` beside a running precinct: by role, what would follow if, and whether the policy service is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.demo import world as cast
from daemon.cli.demo.world import AGENCY, CastMember
from daemon.link.session import Session
from daemon.model.times import format_instant
from tests.kit.acts import request
from tests.kit.patience import PATIENCE
from tests.kit.precinct import Precinct, running

pytestmark = pytest.mark.xdist_group("asking")


@pytest.fixture(scope="module")
def precinct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Precinct]:
    with running(tmp_path_factory.mktemp("asking") / "world") as made:
        yield made


@pytest.fixture(scope="module")
def clip(precinct: Precinct) -> str:
    [taken] = precinct.dock_camera("bay-1", "--clip", "seconds=1")["clips"]
    with Session(precinct.broker, (precinct.topics.standing("+", taken["clip_id"]),)) as session:
        assert session.wait(lambda _: True, PATIENCE), "the policy service has heard of it"
    return str(taken["clip_id"])


def ask(precinct: Precinct, person: CastMember, *words: str | Path, expect: int = 0) -> Any:
    options = precinct.world.as_person(person)
    return precinct.stage.bwc("ask", words[0], *options, *words[1:], expect=expect)


def span() -> str:
    now = datetime.now(UTC)
    return f"{format_instant(now - timedelta(days=2))}/{format_instant(now + timedelta(days=1))}"


def test_each_sees_what_is_theirs(precinct: Precinct, clip: str) -> None:
    for person, seen in ((cast.SUPERVISOR, [clip]), (cast.OFFICER, [clip]), (cast.ROUTINE_OFFICER, [])):
        listed = ask(precinct, person, "clips", "--span", span(), "--json").document
        assert [row["clip_id"] for row in listed] == seen, person
    assert listed == []
    refused = ask(precinct, cast.OFFICER, "words", "--clip", clip, expect=1)
    assert "not answered" in refused.words and "supervisor" in refused.words


def test_what_would_follow_if_and_nothing_does(precinct: Precinct, clip: str, tmp_path: Path) -> None:
    words = tmp_path / "words.toml"
    long_ago = format_instant(datetime.now(UTC) - timedelta(hours=1))
    words.write_text(
        f'[[classification]]\nby = "{cast.SUPERVISOR.person_id}"\nclip_ids = ["{clip}"]\nforce = "none"\n'
        f'in_custody_death = false\noccurred_at = "{long_ago}"\n'
    )
    about = ("--clip", clip, "--person", cast.OFFICER.person_id, "--purpose", "report", "--json")
    assert ask(precinct, cast.SUPERVISOR, "decision", *about).document["outcome"] == "refused"
    supposed = ask(precinct, cast.SUPERVISOR, "decision", *about, "--suppose", words).document
    assert supposed["outcome"] == "released"
    assert request(precinct, cast.OFFICER, clip, "report", expect=3)["outcome"] == "refused"
    assert ask(precinct, cast.SUPERVISOR, "words", "--clip", clip, "--json").document == []


def test_its_status_is_there_and_says_when_it_has_gone(precinct: Precinct, clip: str) -> None:
    where = ("--broker", precinct.world.broker, "--agency", AGENCY, "--json")
    said = precinct.stage.bwc("ask", "status", *where).document
    assert said["state"] == "online" and list(said["docks"]) == [cast.DOCK]
    precinct.stage.stop("policy")
    with Session(precinct.broker, (precinct.topics.policy_status,)) as session:
        assert session.wait(lambda message: json.loads(message.payload)["state"] == "offline", PATIENCE)
    assert "offline" in precinct.stage.bwc("ask", "status", *where, expect=1).words
