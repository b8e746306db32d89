"""Questions as they come: kept until the service has caught up, a few answered at a time, each answer in pages."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import timedelta

from daemon.model import statements as st
from daemon.model.errors import InconsistentError, MalformedError, SignerNotAllowedError, VerificationError
from daemon.model.query_results import QueryResult
from daemon.model.times import format_instant
from daemon.model.types import check_id
from daemon.policy.context import PolicyContext
from daemon.policy.queries.allowance import Allowance
from daemon.policy.queries.clips import find_clips
from daemon.policy.queries.reports import find_report
from daemon.policy.queries.rows import Found
from daemon.policy.queries.supposed import find_decision
from daemon.policy.queries.words import find_words
from daemon.seal import envelope as envelopes
from daemon.seal.verify import verify

_FRESH = timedelta(minutes=5)
"""A question that was asked longer ago is not answered: whoever asked it has gone, or it is somebody else's copy."""
_AT_ONCE = 3
"""Questions answered in one transaction. Docks and decisions wait meanwhile."""
_MOST_WAITING = 500
_LARGEST = 64 << 10
"""Bytes of a question; larger ones are dropped, and counted."""


@dataclass(frozen=True)
class _Question:
    """A question as it came: its topic's person and id, and its payload."""

    person_id: str
    query_id: str
    payload: bytes


class QueryHandler:
    """The questions that one service has received. It keeps them in memory: after a restart they are asked again."""

    def __init__(self, context: PolicyContext) -> None:
        self._context = context
        self._allowance = Allowance()
        self._waiting: deque[_Question] = deque()

    @property
    def waiting(self) -> bool:
        """Whether a question has not been answered yet."""
        return bool(self._waiting)

    def receive(self, payload: bytes, person_id: str, query_id: str) -> None:
        """Keeps a question until `answer_some`. One too many, or too large, is dropped and counted."""
        try:
            check_id(person_id)
            check_id(query_id)
        except ValueError as error:
            self._count(MalformedError(str(error)))
            return
        if len(payload) > _LARGEST:
            self._count(MalformedError("a question of so many bytes"))
            return
        if len(self._waiting) >= _MOST_WAITING:
            self._count(InconsistentError("too many questions wait"))
            return
        self._waiting.append(_Question(person_id, query_id, payload))

    def answer_some(self) -> None:
        """Answers the oldest questions, in the current transaction."""
        for _ in range(min(_AT_ONCE, len(self._waiting))):
            self._answer(self._waiting.popleft())

    def _answer(self, question: _Question) -> None:
        try:
            asked = self._verified(question)
            found = _find(self._context, asked.question, question.person_id)
        except VerificationError as error:
            self._count(error)
            self._publish(question, 1, [], last=True, refused=str(error)[:2000])
            return
        self._context.metrics.count_query(asked.question.what)
        pages = list(found.pages())
        for number, rows in enumerate(pages, 1):
            plain, last = [row.plain() for row in rows], number == len(pages)
            self._publish(question, number, plain, last=last, following=found.next if last else None)

    def _verified(self, question: _Question) -> st.Query:
        """The question, if it is signed by the person of its topic, fresh, and not one too many."""
        context, now = self._context, self._context.now()
        envelope = envelopes.parse(question.payload, what=f"question by {question.person_id}")
        verified = verify(envelope, st.Query, context.trust, at=now)
        query = verified.statement
        if verified.signer.id != question.person_id:
            raise SignerNotAllowedError(f"signed by {verified.signer.id}, published as {question.person_id}")
        if query.query_id != question.query_id:
            raise MalformedError("its topic names another question")
        if now - query.asked_at > _FRESH:
            asked, here = format_instant(query.asked_at), format_instant(now)
            raise InconsistentError(f"asked at {asked}, and here it is {here}: ask again, or set your clock")
        wait = self._allowance.take(question.person_id, context.clock.monotonic())
        if wait:
            raise InconsistentError(f"you have asked very often: ask again in {wait:.0f} s")
        return query

    def _publish(
        self,
        question: _Question,
        page: int,
        rows: list[dict[str, object]],
        *,
        last: bool,
        following: str | None = None,
        refused: str | None = None,
    ) -> None:
        result = QueryResult(
            query_id=question.query_id,
            page=page,
            last=last,
            rows=tuple(rows),
            next=following,
            refused=refused,
            as_of=self._context.now(),
        )
        topic = self._context.topics.result(question.person_id, question.query_id, page)
        self._context.publish(topic, result, retain=False)

    def _count(self, error: VerificationError) -> None:
        self._context.count_refusal(st.Query.kind, error)


def _find(
    context: PolicyContext, asked: st.AskedClips | st.AskedWords | st.AskedDecision | st.AskedReport, person_id: str
) -> Found:
    match asked:
        case st.AskedClips():
            return find_clips(context, asked, person_id)
        case st.AskedWords():
            return find_words(context, asked, person_id)
        case st.AskedDecision():
            return find_decision(context, asked, person_id)
        case st.AskedReport():
            return find_report(context, asked, person_id)
