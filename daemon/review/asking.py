"""Asking the policy service: one question signed, its answer heard page by page, and asked on while there is more."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from daemon.link.session import Session
from daemon.model import statements as st
from daemon.model.config import Broker
from daemon.model.errors import BwcError, UnavailableError
from daemon.model.parse import check_model, parse_model
from daemon.model.query_results import ListedWord, PolicyStatus, QueryResult
from daemon.model.times import truncate
from daemon.model.topics import Topics
from daemon.model.types import Document
from daemon.seal import envelope as envelopes
from daemon.seal.envelope import LIMIT
from daemon.seal.keys import SignKey

Row = TypeVar("Row", bound=Document)
Asked = st.AskedClips | st.AskedWords | st.AskedDecision | st.AskedReport
_ANSWER_SECONDS = 30.0
_AT_ONCE = 50
"""After so many questions each further one waits for its turn: the policy service lets nobody ask faster for long."""
_TURN_SECONDS = 2.0


class QuestionRefusedError(BwcError):
    """The policy service does not answer this question to this person, or not now."""


@dataclass
class Asking:
    """One connection on which one person asks. Made by `asking`."""

    session: Session
    topics: Topics
    person_id: str
    key: SignKey
    asked: int = 0

    def rows(self, question: Asked, row: type[Row]) -> Iterator[Row]:
        """Every row of the answer, as it comes. `row` is what `docs/protocol.md` says that its rows are.

        Raises QuestionRefusedError with the service's reason, UnavailableError when no answer comes, and SchemaError
        for an answer that is none.
        """
        following: str | None = None
        while True:
            pages = self._ask(question.model_copy(update={"after": following}) if following else question)
            for page in pages:
                for number, plain in enumerate(page.rows):
                    yield check_model(row, plain, what=f"answer: row {number}")
            following = pages[-1].next
            if following is None:
                return

    def _ask(self, question: Asked) -> list[QueryResult]:
        """The pages of one answer, in order."""
        if self.asked >= _AT_ONCE:
            time.sleep(_TURN_SECONDS)
        self.asked += 1
        query_id = str(uuid.uuid4())
        query = st.Query(query_id=query_id, question=question, asked_at=truncate(datetime.now(UTC)))
        topic = self.topics.query(self.person_id, query_id)
        self.session.publish(topic, envelopes.sign(query, self.key).to_bytes(), retain=False)
        pages: dict[int, QueryResult] = {}
        count = 0
        while not count or len(pages) < count:
            page = self._page(query_id)
            if page.refused:
                raise QuestionRefusedError(f"not answered: {page.refused}")
            pages[page.page] = page
            count = page.page if page.last else count
        return [pages[number] for number in sorted(pages)]

    def _page(self, query_id: str) -> QueryResult:
        prefix = self.topics.result(self.person_id, query_id, "")
        message = self.session.wait(lambda received: received.topic.startswith(prefix), _ANSWER_SECONDS)
        if message is None:
            raise UnavailableError(
                f"the policy service did not answer within {_ANSWER_SECONDS:g} s", hint="bwc ask status says how it is"
            )
        return parse_model(QueryResult, message.payload, what="answer", limit=2 * LIMIT)


class Person(Protocol):
    """Who asks, and how the broker is reached."""

    @property
    def person_id(self) -> str:
        """The person's id."""
        ...

    @property
    def broker(self) -> Broker:
        """The broker."""
        ...

    @property
    def topics(self) -> Topics:
        """The agency's topics."""
        ...

    @property
    def sign_key(self) -> SignKey:
        """What the person signs with."""
        ...


def attested_incidents(person: Person, incidents: Iterable[str]) -> set[str]:
    """Those of these incidents about which somebody has attested something; none if this person may not know."""
    found: set[str] = set()
    try:
        with asking(person) as session:
            for incident_id in incidents:
                question = st.AskedWords(what="words", incident_id=incident_id)
                if next(session.rows(question, ListedWord), None) is not None:
                    found.add(incident_id)
    except (QuestionRefusedError, UnavailableError):
        pass
    return found


@contextmanager
def asking(person: Person) -> Iterator[Asking]:
    """A connection to ask on.

    Raises ConfigurationError without a key, UnavailableError when the broker does not answer, or refuses it.
    """
    key = person.sign_key
    with Session(person.broker, (person.topics.result(person.person_id, "+", "+"),)) as session:
        yield Asking(session, person.topics, person.person_id, key)


def hear_status(broker: Broker, topics: Topics) -> PolicyStatus | None:
    """The status that the policy service published last; None when the broker has none."""
    with Session(broker, (topics.policy_status,)) as session:
        for message in session.retained():
            return parse_model(PolicyStatus, message.payload, what=message.topic, limit=LIMIT)
    return None
