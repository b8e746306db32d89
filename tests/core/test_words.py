"""Every kind of custody entry is said in a sentence; only what a later version may write is spelled out."""

from __future__ import annotations

import pytest

from daemon.core.words import custody_sentence
from daemon.model.custody_actions import CustodyAction


@pytest.mark.parametrize("action", list(CustodyAction))
def test_every_action_has_words_of_its_own(action: CustodyAction) -> None:
    sentence = custody_sentence(action, {})
    assert sentence != action.replace("_", " ") and len(sentence.split()) > 1


def test_an_action_of_a_version_to_come_is_spelled_out() -> None:
    assert custody_sentence("counter_signed", {"by": "x"}) == "counter signed"
