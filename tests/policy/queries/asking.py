"""Somebody asks an office, and its answer is put together from what waits to be published."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from daemon.model import statements as st
from daemon.model.times import truncate
from daemon.policy.queries.handler import QueryHandler
from daemon.seal.envelope import Envelope
from tests.kit import agency
from tests.kit.policy_fixture import Office


@dataclass
class Desk:
    """An office and who answers its questions."""

    office: Office
    handler: QueryHandler

    def question(self, question: Any, asked_at: datetime | None = None, query_id: str | None = None) -> st.Query:
        at = truncate(asked_at or self.office.clock.now())
        return st.Query(query_id=query_id or str(uuid.uuid4()), question=question, asked_at=at)

    def ask(self, by: str, question: Any, **how: Any) -> tuple[list[dict[str, Any]], str | None]:
        """The rows of the answer, and its `next`. Raises AssertionError with the reason when it is refused."""
        query = self.question(question, **how)
        self.send(agency.signed(query, by), by, query.query_id)
        pages = self.pages(by, query.query_id)
        assert pages and not pages[-1].get("refused"), pages[-1].get("refused")
        assert [page["page"] for page in pages] == list(range(1, len(pages) + 1))
        assert [page["last"] for page in pages] == [False] * (len(pages) - 1) + [True]
        return [row for page in pages for row in page["rows"]], pages[-1].get("next")

    def all(self, by: str, question: dict[str, Any]) -> list[dict[str, Any]]:
        """The rows of the answer and of all that follow it."""
        rows, following = self.ask(by, question)
        while following is not None:
            more, following = self.ask(by, question | {"after": following})
            rows += more
        return rows

    def refused(self, by: str, question: Any, **how: Any) -> str:
        """Why it is not answered."""
        query = self.question(question, **how)
        self.send(agency.signed(query, by), by, query.query_id)
        [page] = self.pages(by, query.query_id)
        assert page["last"] and page["rows"] == []
        return str(page["refused"])

    def send(self, envelope: Envelope, person: str, query_id: str) -> None:
        self.handler.receive(envelope.to_bytes(), person, query_id)
        with self.office.context.store.transaction():
            self.handler.answer_some()

    def pages(self, by: str, query_id: str) -> list[dict[str, Any]]:
        topics = self.office.context.topics
        found: list[dict[str, Any]] = []
        while posted := self.office.posted(topics.result(by, query_id, len(found) + 1)):
            found.append(json.loads(posted[-1]))
        return found
