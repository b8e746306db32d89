"""What does not fit what is known is refused before it is signed; what is not known is not checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.cli.attest.check import doubts, strangers, unchecked
from daemon.cli.attest.facts import Fact
from daemon.cli.attest.people import enrolled
from daemon.model import statements as st
from daemon.model.errors import ConfigurationError
from daemon.review.known import Known
from daemon.seal.keys import public_pem
from tests.cli.attest.world import PEOPLE, classification, clip, clip_id, facts, known
from tests.kit import agency

WORLD = known(clip(1, "23-310001"), clip(2, "23-310001", officer="52345"), clip(3))


def found(fact: Fact, world: Known = WORLD, *dispatched: str, people: bool = True) -> list[str]:
    return [doubt.text + (doubt.hint or "") for doubt in doubts([fact], world, dispatched, PEOPLE if people else None)]


def test_what_fits_is_not_doubted() -> None:
    assert found(classification(incident_id="23-310001", involved=["51234"], clip_ids=[clip_id(3)])) == []
    assert found(classification(incident_id=None, clip_ids=[clip_id(3)], occurred_at="2026-11-27 23:05")) == []


def test_an_incident_of_no_clip_is_refused_and_the_closest_offered() -> None:
    [doubt] = found(classification(incident_id="23-310010"))
    assert "23-310010" in doubt and "did you mean 23-310001?" in doubt
    [doubt] = found(classification(incident_id="completely-other"))
    assert "did you mean" not in doubt


def test_an_incident_is_known_from_its_tag_from_dispatch_or_from_what_others_said() -> None:
    assert found(classification(incident_id="23-7"), WORLD, "23-7") == []
    assert strangers([classification(incident_id="23-7")], WORLD)
    assert not strangers([classification(incident_id="23-310001")], WORLD)


def test_a_clip_that_no_dock_tells_of_is_refused() -> None:
    wrong = clip_id(3)[:-1] + "a"
    [doubt] = found(classification(incident_id="23-310001", clip_ids=[wrong]))
    assert wrong in doubt and f"did you mean {clip_id(3)}?" in doubt
    [hold] = facts(st.Hold, {"clip_id": agency.CLIP, "state": "placed", "reason": "x"})
    assert len(found(hold)) == 1
    assert strangers([hold], WORLD)


def test_somebody_who_is_not_enrolled_is_refused_and_the_closest_offered_by_id_and_by_name() -> None:
    [doubt] = found(classification(incident_id="23-310001", involved=["51243"]))
    assert "51243" in doubt and "51234 (Officer Lee)" in doubt
    for typed in ("Park", "park", "officer.park"):
        [report] = facts(st.Report, {"incident_id": "23-310001", "officer_id": typed})
        [doubt] = found(report)
        assert "52345 (Officer Park)" in doubt
    [authorization] = facts(
        st.Authorization,
        {"person_id": "zzz", "clip_id": clip_id(1), "purposes": ["court"], "expires_at": "2199-01-01 00:00"},
    )
    assert "did you mean" not in found(authorization)[0]
    assert found(authorization, people=False) == []


@pytest.mark.parametrize(
    ("typed", "refused"),
    [
        ("2026-11-27 20:59:59.999", True),
        ("2026-11-27 21:00", False),  # within the pre-event buffer of the earliest
        ("2026-11-27 21:00:10", False),
        ("2026-11-26 21:30", True),
        ("2026-11-28 23:00", False),
    ],
)
def test_a_time_before_the_earliest_recording_is_refused(typed: str, refused: bool) -> None:
    assert bool(found(classification(incident_id="23-310001", occurred_at=typed))) is refused
    assert bool(found(classification(incident_id=None, clip_ids=[clip_id(1)], occurred_at=typed))) is refused
    about = {"incident_id": "23-310001", "officer_id": "51234"}
    for kind, time, more in (
        (st.OfficerStatement, "given_at", {"to": "supervisor", "form": "unrecorded"}),
        (st.Report, "filed_at", {}),
    ):
        [fact] = facts(kind, about | more | {time: typed})
        assert bool(found(fact)) is refused


def test_a_named_clip_may_be_the_earliest() -> None:
    world = known(clip(1), clip(2, "23-310001"))
    late = {"incident_id": "23-310001", "occurred_at": "2026-11-27 21:30"}
    assert found(classification(**late), world)
    assert found(classification(**late, clip_ids=[clip_id(1)]), world) == []


@pytest.mark.parametrize("skew", [-7200.0, 7200.0])
def test_of_a_camera_whose_clock_was_off_the_earlier_reading_counts(skew: float) -> None:
    world = known(clip(3, "23-310001", skew=skew))
    earlier = "2026-11-27 23:00" if skew > 0 else "2026-11-27 21:00"
    assert found(classification(incident_id="23-310001", occurred_at=earlier), world) == []
    assert found(classification(incident_id="23-310001", occurred_at="2026-11-27 20:59"), world)


def test_without_a_capture_nobody_knows_when_it_was_recorded() -> None:
    world = known(clip(3, "23-310001", recorded=False))
    assert found(classification(incident_id="23-310001", occurred_at="2026-11-20 21:00"), world) == []


def test_a_time_that_nobody_typed_is_not_doubted() -> None:
    [future] = facts(st.Report, {"incident_id": "23-1", "officer_id": "51234"})
    assert found(future, known(clip(10_000_00, "23-1"))) == []


def test_what_was_not_heard_is_said_and_blocks_nothing() -> None:
    fact = classification(incident_id="23-7", involved=["99999"], clip_ids=[clip_id(9)])
    nothing = Known(problems=["the broker refused the subscription: not authorized"])
    assert doubts([fact], nothing, (), None) == []
    said = list(unchecked([fact], nothing, None))
    assert len(said) == 2 and "not authorized" in said[0] and "--trust" in said[1]
    assert len(list(unchecked([fact], Known(), PEOPLE))) == 1, "nothing is retained, and nobody says why"
    half = Known(WORLD.clips, whole=False, problems=["more than could be heard"])
    assert doubts([fact], half, (), None) == []
    assert "more than could be heard" in next(iter(unchecked([fact], half, PEOPLE)))
    assert list(unchecked([classification(incident_id="23-310001")], WORLD, PEOPLE)) == []
    [withdrawal] = facts(st.Withdrawal, {"attestation_sha256": "0" * 64, "reason": "x"})
    assert list(unchecked([withdrawal], Known(), None)) == []


def test_a_doubt_is_told_once() -> None:
    fact = classification(incident_id="23-310010", involved=["51243"])
    assert len(doubts([fact, fact], WORLD, (), PEOPLE)) == 2


def test_who_is_enrolled_is_read_from_the_agencys_own_trust_and_from_no_other(tmp_path: Path) -> None:
    trust, root, other = tmp_path / "trust.json", tmp_path / "root.pem", tmp_path / "other.pem"
    trust.write_bytes(agency.trust_bytes())
    root.write_text(public_pem(agency.sign_key("root").public_key()))
    other.write_text(agency.sign_pem("policy"))
    people = enrolled(trust, root)
    assert people is not None and "officer" in people and "stranger" not in people
    assert people.shown("officer") == "officer (Officer)" and people.shown("stranger") == "stranger"
    assert enrolled(None, None) is None
    for pair in ((trust, None), (None, root), (trust, other), (tmp_path / "none", root), (trust, tmp_path / "none")):
        with pytest.raises(ConfigurationError):
            enrolled(*pair)
