"""`disposal_report`: its text comes whole, in pieces, and hashes to its digest."""

from __future__ import annotations

import hashlib

import pytest

from daemon.model.times import format_instant
from daemon.policy.queries import reports as room
from tests.kit.agency import NOW
from tests.policy.queries.asking import Desk

QUESTION = {"what": "disposal_report"}


def keep(desk: Desk, text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()
    with desk.office.context.store.transaction():
        desk.office.context.store.add_report(digest, format_instant(NOW), text.encode())
    return digest


def test_a_report_comes_whole_over_several_answers(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_PIECE", 10)
    monkeypatch.setattr(room, "_MOST", 3)
    text = "".join(f"clip {number} é, " for number in range(20))
    digest = keep(desk, text)
    pieces = desk.all("chief", QUESTION)
    assert "".join(piece["text"] for piece in pieces) == text
    assert {piece["sha256"] for piece in pieces} == {digest}
    assert desk.all("records", QUESTION | {"sha256": digest}) == pieces


def test_who_may_not_and_what_is_not_there(desk: Desk) -> None:
    assert "no disposal report was made yet" in desk.refused("chief", QUESTION)
    assert "no disposal report ab" in desk.refused("chief", QUESTION | {"sha256": "ab" * 32})
    assert "chief" in desk.refused("supervisor", QUESTION)


@pytest.mark.parametrize("after", ["x", "x y", "x -1", "x 999999999999999"])
def test_a_cursor_that_no_answer_gave_is_refused(desk: Desk, after: str) -> None:
    keep(desk, "text")
    assert desk.refused("chief", QUESTION | {"after": after})
