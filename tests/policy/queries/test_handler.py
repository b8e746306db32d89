"""Questions are answered to whoever signed them, freshly, a few at a time; anything else gets a reason or nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from daemon.policy.queries import handler as room
from daemon.policy.queries import rows as paging
from tests.kit import agency
from tests.kit.agency import NOW
from tests.policy.queries.asking import Desk
from tests.policy.queries.test_clips import named, span


def test_an_answer_comes_in_pages_that_a_broker_takes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "_PAGE_BYTES", 1500)
    for number in range(7):
        desk.office.announce(desk.office.notice(named(number)))
    query = desk.question(span())
    desk.send(agency.signed(query, "chief"), "chief", query.query_id)
    pages = desk.pages("chief", query.query_id)
    assert len(pages) > 2 and sum(len(page["rows"]) for page in pages) == 7


def test_only_who_signed_it_is_answered_and_only_under_its_own_id(desk: Desk) -> None:
    query = desk.question(span())
    desk.send(agency.signed(query, "officer"), "chief", query.query_id)
    [page] = desk.pages("chief", query.query_id)
    assert "signed by officer" in page["refused"] and page["rows"] == []
    desk.send(agency.signed(query, "officer"), "officer", "another")
    assert "another question" in desk.pages("officer", "another")[0]["refused"]


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff" * 100, b"{}"])
def test_what_is_no_question_is_refused_and_stops_nothing(desk: Desk, payload: bytes) -> None:
    desk.handler.receive(payload, "officer", "q1")
    desk.handler.receive(payload, "..", "q1")
    desk.handler.receive(payload, "officer", "q/" * 40)
    with desk.office.context.store.transaction():
        desk.handler.answer_some()
    assert desk.pages("officer", "q1")[0]["refused"]
    assert desk.ask("supervisor", span()) == ([], None)


def test_a_statement_of_another_kind_is_no_question(desk: Desk) -> None:
    desk.office.announce(desk.office.notice())
    envelope = agency.signed(_request(), "officer")
    desk.send(envelope, "officer", "q1")
    assert desk.pages("officer", "q1")[0]["refused"]


def _request() -> Any:
    from daemon.model import statements as st

    return st.Request(request_id="r1", clip_id=agency.CLIP, purpose="report", requested_at=NOW)


def test_an_old_question_is_not_answered_again(desk: Desk) -> None:
    old = NOW - timedelta(minutes=6)
    assert "ask again" in desk.refused("chief", span(), asked_at=old)
    assert "future" in desk.refused("chief", span(), asked_at=NOW + timedelta(minutes=1))


def test_a_key_that_is_not_enrolled_gets_no_answer_but_a_reason(desk: Desk) -> None:
    query = desk.question(span())
    desk.send(agency.signed(query, "stranger"), "stranger", query.query_id)
    assert desk.pages("stranger", query.query_id)[0]["refused"]


def test_whoever_asks_too_often_is_told_and_others_are_answered(desk: Desk) -> None:
    for _ in range(60):
        desk.ask("chief", span())
    assert "ask again in" in desk.refused("chief", span())
    assert desk.ask("records", span()) == ([], None)
    desk.office.clock.turn(seconds=2)
    assert desk.ask("chief", span()) == ([], None)


def test_a_few_are_answered_at_a_time_in_their_order(desk: Desk) -> None:
    queries = [desk.question(span()) for _ in range(8)]
    for query in queries:
        desk.handler.receive(agency.signed(query, "chief").to_bytes(), "chief", query.query_id)
    answered = []
    while desk.handler.waiting:
        with desk.office.context.store.transaction():
            desk.handler.answer_some()
        answered.append([bool(desk.pages("chief", query.query_id)) for query in queries].count(True))
    assert answered == [3, 6, 8]


def test_too_many_at_once_are_dropped_and_counted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_MOST_WAITING", 2)
    for _ in range(4):
        with desk.office.context.store.transaction():
            desk.handler.receive(b"{", "officer", "q1")
    with desk.office.context.store.transaction():
        desk.handler.answer_some()
    assert not desk.handler.waiting
    rows = desk.office.context.store.db.execute(
        "SELECT error, count FROM refusal WHERE kind = ?", ("query",)
    ).fetchall()
    assert sorted(tuple(row) for row in rows) == [("InconsistentError", 2), ("MalformedError", 2)]


@pytest.mark.parametrize("after", ["\0 dock-1 x", "2023 dock-1 \0", "é 1", " ", "a  b"])
def test_a_cursor_of_letters_that_no_answer_has_is_refused(desk: Desk, after: str) -> None:
    """PostgreSQL cannot even read a NUL: the driver's error would end the service."""
    asked = desk.question(span())
    query = asked.model_copy(update={"question": asked.question.model_copy(update={"after": after})})
    desk.send(agency.signed(query, "chief"), "chief", query.query_id)
    assert "after" in desk.pages("chief", query.query_id)[0]["refused"]


def test_a_question_too_large_is_not_kept(desk: Desk) -> None:
    with desk.office.context.store.transaction():
        desk.handler.receive(b"x" * (1 << 20), "officer", "q1")
    assert not desk.handler.waiting
