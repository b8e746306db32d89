"""What will be signed is said with counts, names and the UTC that a typed time becomes."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.cli.attest.people import NOBODY
from daemon.cli.attest.words import Wording
from daemon.model import statements as st
from daemon.review.known import Known
from tests.cli.attest.world import PEOPLE, PORTLAND, classification, clip, clip_id, facts, known

WORLD = known(clip(1, "23-1"), clip(2, "23-1"), clip(3, "23-1", officer="52345"), clip(4), clip(5, officer="unknown"))
TELLER = Wording(WORLD, PEOPLE, PORTLAND)


def said(kind: type[st.Statement], teller: Wording = TELLER, **payload: Any) -> str:
    [fact] = facts(kind, payload)
    return teller.say(fact)


def test_a_classification_has_its_counts_people_and_time() -> None:
    words = TELLER.say(
        classification(force="serious", involved=["51234"], occurred_at="2026-11-28 00:47", clip_ids=[clip_id(4)])
    )
    for part in (
        "3 clips of 2 officers in incident 23-1",
        f"clip {clip_id(4)} of 51234 (Officer Lee)",
        "serious force, no death in custody",
        "involved: 51234 (Officer Lee); witnesses: none",
        "occurred at 2026-11-28T08:47:00.000Z (2026-11-28 00:47:00-08:00)",
    ):
        assert part in words
    assert "classified at" not in words, "nobody typed it"


def test_what_is_not_known_is_named_without_counts() -> None:
    strange = Wording(Known(), NOBODY, PORTLAND)
    words = strange.say(classification(involved=["51234"], in_custody_death=True))
    assert "incident 23-1:" in words and "clips" not in words and "involved: 51234;" in words
    assert "a death in custody" in words
    assert "2 clips named" in strange.say(classification(incident_id=None, clip_ids=[clip_id(1), clip_id(2)]))


def test_clips_without_an_incident_are_counted_by_officer() -> None:
    assert "2 clips of 1 officer named" in TELLER.say(
        classification(incident_id=None, clip_ids=[clip_id(1), clip_id(2)])
    )
    both = classification(incident_id=None, clip_ids=[clip_id(4), clip_id(5)])
    assert "2 clips of 1 officer named" in TELLER.say(both)
    unknown = Wording(known(clip(5, "23-1", officer="unknown")), PEOPLE, PORTLAND)
    assert "1 clip of an unknown officer in incident 23-1" in unknown.say(classification())


@pytest.mark.parametrize(
    ("kind", "payload", "parts"),
    [
        (
            st.OfficerStatement,
            {"incident_id": "23-1", "officer_id": "51234", "to": "internal_affairs", "form": "unrecorded"},
            (
                "51234 (Officer Lee)",
                "internal affairs",
                "without a recording",
                "3 clips of 2 officers in incident 23-1",
            ),
        ),
        (st.Report, {"incident_id": "23-1", "officer_id": "52345"}, ("52345 (Officer Park)", "3 clips")),
        (
            st.Authorization,
            {"person_id": "41001", "incident_id": "23-1", "purposes": ["court"], "expires_at": "2199-01-01 00:00"},
            ("41001 (Sergeant Reyes)", "court", "3 clips", "expires at 2199-01-01T08:00:00.000Z"),
        ),
        (
            st.Authorization,
            {"clip_id": clip_id(4), "purposes": ["disposal"], "expires_at": "2199-01-01 00:00"},
            ("disposal", clip_id(4)),
        ),
        (
            st.Hold,
            {"incident_id": "23-1", "state": "lifted", "reason": "Settled"},
            ("lifted", "3 clips of 2 officers", "Settled"),
        ),
        (
            st.Correction,
            {"clip_id": clip_id(4), "officer_id": "52345", "admit": True, "reason": "Pool camera"},
            (clip_id(4), "of 51234 (Officer Lee)", "worn by 52345 (Officer Park)", "admitted", "Pool camera"),
        ),
        (
            st.Authorization,
            {"report_sha256": "cd" * 32, "purposes": ["disposal"], "expires_at": "2199-01-01 00:00"},
            ("disposal report", "cd" * 32),
        ),
        (st.Declaration, {"clip_id": clip_id(4)}, (clip_id(4), "no force")),
        (
            st.Label,
            {"clip_id": clip_id(4), "category": "dui", "case_number": "23CR-1187"},
            (clip_id(4), "dui", "23CR-1187"),
        ),
        (
            st.Excusal,
            {"incident_id": "23-1", "officer_id": "51234", "reason": "relieved", "note": "By the night shift"},
            ("51234 (Officer Lee)", "23-1", "relieved by others", "By the night shift", "the verdict stands"),
        ),
        (st.Withdrawal, {"attestation_sha256": "ab" * 32, "reason": "Wrong"}, ("ab" * 32, "Wrong")),
    ],
)
def test_every_kind_says_what_it_is_about(kind: type[st.Statement], payload: dict[str, Any], parts: tuple[str]) -> None:
    words = said(kind, **payload)
    assert all(part in words for part in parts), words


def test_every_kind_of_fact_has_words() -> None:
    from daemon.cli.attest import words

    assert set(words._WORDS) == set(st.FACTS)
