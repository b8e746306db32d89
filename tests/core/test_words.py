"""Every custody entry and every need is said in a sentence; only what a later version may write is spelled out."""

from __future__ import annotations

import pytest

from daemon.core.words import custody_sentence, need_sentence, need_told, need_words
from daemon.model.custody_actions import CustodyAction
from daemon.model.documents import Need


@pytest.mark.parametrize("action", list(CustodyAction))
def test_every_action_has_words_of_its_own(action: CustodyAction) -> None:
    sentence = custody_sentence(action, {})
    assert sentence != action.replace("_", " ") and len(sentence.split()) > 1


def test_an_action_of_a_version_to_come_is_spelled_out() -> None:
    assert custody_sentence("counter_signed", {"by": "x"}) == "counter signed"


def need(kind: str, **fields: str) -> Need:
    return Need.model_validate({"kind": kind, **fields})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (need("classification", **{"from": "supervisor"}), "classification of the clip itself by a supervisor"),
        (
            need("classification", **{"from": "supervisor"}, incident_id="23-1"),
            "classification of incident 23-1 by a supervisor",
        ),
        (
            need("statement", **{"from": "internal_affairs"}, form="audio", officer_id="51234", incident_id="23-1"),
            "an audio-recorded statement to internal affairs from 51234 about incident 23-1",
        ),
        (
            need("report", **{"from": "supervisor"}, officer_id="51234"),
            "the filed report of 51234 about the clip itself",
        ),
        (
            need("court_order", **{"from": "records"}),
            "a court's order on record, signed by the records staff and by the chief or counsel",
        ),
        (need("hold_lifted", **{"from": "records"}), "the legal hold lifted"),
        (need("correction", **{"from": "records"}), "correction by the records staff"),
        (need("authorization", **{"from": "chief"}), "authorization by the chief"),
    ],
)
def test_a_need_says_what_from_whom_and_about_what(said: Need, words: str) -> None:
    assert need_sentence(said) == words


def test_a_need_says_by_when_and_what_stands_in_its_way() -> None:
    owed = need("statement", **{"from": "supervisor"}, officer_id="51234", by="2023-12-01T21:40:00.000Z")
    assert need_sentence(owed).endswith("about the clip itself, due 2023-12-01T21:40:00.000Z")
    hindered = need("classification", **{"from": "supervisor"}, note="nobody is left")
    assert need_told(hindered) == "classification of the clip itself by a supervisor; but nobody is left"
    assert need_told(owed) == need_sentence(owed)
    assert need_words(owed) == "a statement to a supervisor from 51234", "the board has a column for the rest"
