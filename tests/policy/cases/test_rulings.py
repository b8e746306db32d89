"""Refusals for which no regime has to be asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.policy.cases.rulings import GroundedRuling, ruling_on
from tests.kit import agency
from tests.kit.agency import CLIP
from tests.kit.policy_fixture import Office, open_office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = open_office(tmp_path)
    office.announce(office.notice())
    office.classify("none")
    yield office
    office.context.store.close()


def reason(grounded: GroundedRuling) -> str:
    assert not grounded.ruling.released and grounded.facts == ()
    [because] = grounded.ruling.because
    return because.policy_id


def test_a_clip_that_no_dock_has_announced(office: Office) -> None:
    assert reason(ruling_on(office.context, None, "officer", "report")) == "unknown-clip"


def test_a_clip_that_was_disposed_of(office: Office) -> None:
    clip = office.context.store.clip(CLIP)
    assert clip is not None
    assert reason(ruling_on(office.context, replace(clip, disposed=True), "officer", "report")) == "disposed"


def test_a_clip_in_quarantine(office: Office) -> None:
    clip = office.context.store.clip(CLIP)
    assert clip is not None
    assert reason(ruling_on(office.context, replace(clip, integrity="unsigned"), "officer", "report")) == "quarantine"


def test_a_person_without_an_opening_key(office: Office) -> None:
    people = agency.trust_statement().plain()["people"]
    del people["officer"]["open"]
    office.context.trust = agency.trust(people=people)
    grounded = ruling_on(office.context, office.context.store.clip(CLIP), "officer", "report")
    assert reason(grounded) == "no-open-key"


def test_otherwise_the_regime_rules_on_facts_and_these_rest_on_attestations(office: Office) -> None:
    clip = office.context.store.clip(CLIP)
    assert clip is not None
    grounded = ruling_on(office.context, clip, "officer", "report")
    assert grounded.ruling.released
    assert [facts.purpose for facts in grounded.facts] == ["report"]
    assert {clip.seal_sha256, clip.tag_sha256} < grounded.digests
