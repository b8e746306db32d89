"""Which attestations count as facts about a clip."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.model import statements as st
from daemon.policy.cases.clip_case import Case
from tests.kit.agency import CLIP
from tests.kit.policy_fixture import INCIDENT, Office, open_office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = open_office(tmp_path)
    yield office
    office.context.store.close()


def case(office: Office) -> Case:
    clip = office.context.store.clip(CLIP)
    assert clip is not None
    return Case(office.context, clip)


def test_the_latest_correction_says_who_wore_the_camera(office: Office) -> None:
    office.announce(office.notice(officer="witness"))
    assert case(office).wearer == "witness"
    for officer, earlier in (("officer", 0), ("trainer", 1)):
        at = office.clock.now() - timedelta(seconds=earlier)
        correction = st.Correction(clip_id=CLIP, officer_id=officer, reason="pool camera", at=at)
        assert office.attest(correction, "records") == (True, None)
    assert case(office).wearer == "officer"


def test_of_each_hold_the_latest_attestation_counts(office: Office) -> None:
    office.announce(office.notice())
    for hold_id, state in (("h1", "placed"), ("h2", "placed"), ("h1", "lifted")):
        hold = st.Hold.model_validate(
            {"hold_id": hold_id, "clip_id": CLIP, "state": state, "reason": "suit", "at": office.clock.now()}
        )
        assert office.attest(hold, "records") == (True, None)
        office.clock.turn(seconds=1)
    [facts] = case(office).facts("officer", "report")
    assert [hold.hold_id for hold in facts.holds] == ["h2"]


def test_a_clip_in_quarantine_counts_as_recorded_when_it_was_ingested(office: Office) -> None:
    office.announce(office.notice(integrity="unsigned"))
    found = case(office)
    assert not found.admitted
    seal = office.context.store.statement(found.clip.seal_sha256, st.Seal)
    assert found.recorded == (seal.ingested_at, "unknown")


def test_a_case_rests_on_seal_capture_tag_and_what_people_attest(office: Office) -> None:
    office.announce(office.notice())
    before = case(office)
    assert before.digests == {before.clip.seal_sha256, before.clip.capture_sha256, before.clip.tag_sha256}
    office.classify("none")
    [row] = office.context.store.attestations_about(CLIP, [INCIDENT])
    assert case(office).digests == before.digests | {row.digest}


@pytest.mark.parametrize(
    "incident", ["23/310001", "PP 23-310001", "P#231129", "ä" * 64, "urn:emergency:uid:incidentid:a56e:x"]
)
def test_an_incidents_id_may_be_any_text(office: Office, incident: str) -> None:
    office.announce(office.notice(incidents=(incident,)))
    assert office.ask("officer", CLIP)["needs"][0]["incident_id"] == incident
    assert office.classify("none", incident_id=incident) == (True, None)
    assert office.ask("officer", CLIP)["outcome"] == "released"
    hold = {"hold_id": "h1", "incident_id": incident, "state": "placed", "reason": "suit", "at": office.clock.now()}
    assert office.attest(st.Hold.model_validate(hold), "records") == (True, None)
    assert [one.hold_id for one in case(office).facts("officer", "report")[0].holds] == ["h1"]
