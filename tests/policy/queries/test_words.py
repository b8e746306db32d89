"""`words`: what was attested, by whom, and which of it can only close; and who may not ask."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.model import statements as st
from daemon.policy.queries import words as room
from tests.kit.agency import CLIP, DIGEST
from tests.kit.policy_fixture import INCIDENT
from tests.policy.queries.asking import Desk

OF_INCIDENT = {"what": "words", "incident_id": INCIDENT}
OF_CLIP = {"what": "words", "clip_id": CLIP}


@pytest.mark.parametrize("question", [OF_INCIDENT, OF_CLIP])
def test_each_word_with_what_limits_it(desk: Desk, question: dict[str, Any]) -> None:
    desk.office.announce(desk.office.notice())
    desk.office.classify("none", by="sergeant", involved=[])
    desk.office.clock.turn(minutes=1)
    desk.office.classify("deadly", involved=["officer", "sergeant"])
    desk.office.clock.turn(minutes=1)
    desk.office.told()
    first, second, third = desk.ask("affairs", question)[0]
    assert [word["kind"] for word in (first, second, third)] == ["classification", "classification", "statement"]
    assert first["conflict"] == "is named as involved" and first["statement"]["force"] == "none"
    assert "conflict" not in second and second["signer"] == "supervisor" and second["roles"] == ["supervisor"]
    desk.office.clock.turn(minutes=1)
    withdrawal = st.Withdrawal(attestation_sha256=third["digest"], reason="not yet", at=desk.office.clock.now())
    assert desk.office.attest(withdrawal, "affairs")[0]
    assert [word["withdrawn"] for word in desk.ask("affairs", question)[0]] == [False, False, True, False]


def test_who_was_there_or_has_no_such_role_is_refused_in_words(desk: Desk) -> None:
    desk.office.announce(desk.office.notice())
    desk.office.classify("deadly", involved=["officer", "sergeant"])
    assert "somebody who was not there may ask" in desk.refused("sergeant", OF_INCIDENT)
    assert "somebody who was not there may ask" in desk.refused("sergeant", OF_CLIP)
    assert "supervisor" in desk.refused("officer", OF_CLIP)
    assert "no dock has announced" in desk.refused("supervisor", OF_CLIP | {"clip_id": CLIP[:-1] + "0"})
    assert desk.ask("supervisor", OF_INCIDENT | {"incident_id": "23-9"}) == ([], None)


def test_a_long_list_goes_on_where_it_ended(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_MOST", 2)
    holds = [
        st.Hold(hold_id=f"h{number}", incident_id=INCIDENT, state="placed", reason="suit", at=desk.office.clock.now())
        for number in range(5)
    ]
    for hold in holds:
        assert desk.office.attest(hold, "records")[0]
    names = [word["statement"]["hold_id"] for word in desk.all("chief", OF_INCIDENT)]
    assert sorted(names) == ["h0", "h1", "h2", "h3", "h4"] and len(names) == 5


def test_a_question_is_about_one_thing(desk: Desk) -> None:
    with pytest.raises(ValueError, match="not both"):
        desk.question(OF_CLIP | OF_INCIDENT)
    with pytest.raises(ValueError, match="clip_id"):
        desk.question({"what": "words"})
    with pytest.raises(ValueError, match="Extra"):
        desk.question(OF_CLIP | {"digest": DIGEST})
