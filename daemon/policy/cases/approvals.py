"""Authorizations by two people: equal but for who signed them and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from daemon.model import statements as st
from daemon.policy.testimony.words import Word

_RECORDS = frozenset({"records"})
_APPROVES_ORDERS = frozenset({"chief", "counsel"})
_APPROVES_DISPOSAL = frozenset({"chief"})
Pair = tuple[Word[st.Authorization], Word[st.Authorization]]


def approved_orders(words: Iterable[Word[st.Authorization]]) -> Iterator[tuple[st.Authorization, tuple[str, str]]]:
    """Authorizations on a court's order that records and a second person (chief or counsel) signed, with both signers.

    Each is in force from when the later of the two was issued.
    """
    for records, second in _pairs([word for word in words if word.statement.court_order], _APPROVES_ORDERS):
        later = max((records, second), key=lambda word: word.statement.issued_at)
        yield later.statement, (records.signer, second.signer)


@dataclass(frozen=True, slots=True)
class DisposalApproval:
    """Chief and records authorize a disposal. `digests`: of what they signed. `by_court`: on a court's order."""

    digests: tuple[str, ...]
    by_court: bool


def approved_together(words: Iterable[Word[st.Authorization]], now: datetime) -> DisposalApproval | None:
    """The authorization of disposal, in force now, that records and the chief have signed; None without both."""
    valid = [word for word in words if word.statement.issued_at <= now < word.statement.expires_at]
    found = [
        DisposalApproval(tuple(sorted({one.digest, other.digest})), one.statement.court_order is not None)
        for one, other in _pairs(valid, _APPROVES_DISPOSAL)
    ]
    return max(found, key=lambda approval: (approval.by_court, approval.digests), default=None)


def _pairs(words: list[Word[st.Authorization]], second: frozenset[str]) -> Iterator[Pair]:
    for one, other in product(words, words):
        if (
            one.signer != other.signer
            and one.roles & _RECORDS
            and other.roles & second
            and _but_for_issue(one.statement) == _but_for_issue(other.statement)
        ):
            yield one, other


def _but_for_issue(statement: st.Authorization) -> st.Authorization:
    return statement.model_copy(update={"issued_at": statement.expires_at})
