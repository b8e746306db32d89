"""One question, its pages in whatever order they come, and asked on while there is more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.shared.person import Caller
from daemon.link.mqtt import Received
from daemon.model import statements as st
from daemon.model.config import Broker
from daemon.model.errors import SchemaError, UnavailableError
from daemon.model.query_results import ReportPiece
from daemon.model.topics import Topics
from daemon.review import asking as room
from daemon.review.asking import QuestionRefusedError, asking
from daemon.seal import envelope as envelopes
from daemon.seal.private_keys import new_pair

TOPICS = Topics("portland")
QUESTION = st.AskedReport(what="disposal_report")


class Service:
    """A broker's visit with a policy service behind it. `answers`: the pages that each question is answered with."""

    answers: list[list[dict[str, Any]]]
    asked: list[st.Query]

    def __init__(self, _broker: Broker, subscriptions: tuple[str, ...]) -> None:
        assert subscriptions == (TOPICS.result("10001", "+", "+"),)
        self._waiting: list[Received] = []

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> None:
        query = envelopes.parse(payload, what="asked").statement(st.Query)
        assert topic == TOPICS.query("10001", query.query_id) and not retain
        self.asked.append(query)
        for page in self.answers[len(self.asked) - 1]:
            whole = {"schema": "bwc.result/1", "query_id": query.query_id, "as_of": "2026-11-28T00:00:00.000Z"} | page
            result = TOPICS.result("10001", query.query_id, page["page"])
            self._waiting.append(Received("c", result, json.dumps(whole).encode(), False, 1, 1))

    def wait(self, wanted: Any, _seconds: float) -> Received | None:
        return next((self._waiting.pop(n) for n, one in enumerate(self._waiting) if wanted(one)), None)


def piece(text: str) -> dict[str, Any]:
    return {"sha256": "ab" * 32, "made_at": "2026-11-28T00:00:00.000Z", "text": text}


def page(number: int, *texts: str, last: bool = True, **more: Any) -> dict[str, Any]:
    return {"page": number, "last": last, "rows": [piece(text) for text in texts], **more}


def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *answers: list[dict[str, Any]]) -> tuple[str, list[st.Query]]:
    asked: list[st.Query] = []
    made = type("Made", (Service,), {"answers": list(answers), "asked": asked})
    monkeypatch.setattr(room, "Session", made)
    if not (tmp_path / "10001.sign.pem").exists():
        new_pair(tmp_path, "10001")
    caller = Caller("10001", tmp_path, Broker(url="mqtt://127.0.0.1:9"), TOPICS)
    with asking(caller) as session:
        return "".join(row.text for row in session.rows(QUESTION, ReportPiece)), asked


def test_pages_are_put_in_order_and_one_that_comes_twice_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [page(3, "c"), page(1, "a", last=False), page(1, "a", last=False), page(2, "b", last=False)]
    assert read(tmp_path, monkeypatch, pages)[0] == "abc"


def test_it_asks_on_while_there_is_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, asked = read(tmp_path, monkeypatch, [page(1, "a", next="x 1")], [page(1, "b", next="x 2")], [page(1)])
    assert text == "ab"
    assert [query.question.after for query in asked if isinstance(query.question, st.AskedReport)] == [
        None,
        "x 1",
        "x 2",
    ]
    assert len({query.query_id for query in asked}) == 3


def test_a_long_list_waits_for_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    answers = [[page(1, "a", next="x 1")] for _ in range(52)] + [[page(1)]]
    assert len(read(tmp_path, monkeypatch, *answers)[0]) == 52
    assert slept == [2.0] * 3


def test_a_refusal_is_told_in_the_services_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(QuestionRefusedError, match="reports are for chief"):
        read(tmp_path, monkeypatch, [page(1, refused="reports are for chief")])


def test_silence_and_half_an_answer_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for pages in ([], [page(2, "b")], [page(1, "a", last=False)]):
        with pytest.raises(UnavailableError, match="did not answer"):
            read(tmp_path, monkeypatch, pages)


def test_what_is_no_answer_is_an_error_and_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in (page(1) | {"rows": [{"text": 7}]}, page(1) | {"last": "yes"}):
        with pytest.raises(SchemaError):
            read(tmp_path, monkeypatch, [wrong])
