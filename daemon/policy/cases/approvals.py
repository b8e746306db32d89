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
    """Records and the chief authorize a disposal.

    `digests`: of what they signed. `signers`: who. `court_order`: the court's order that they name, if there is one.
    """

    digests: tuple[str, ...]
    signers: tuple[str, str]
    court_order: st.CourtOrder | None


def disposal_approvals(words: Iterable[Word[st.Authorization]], now: datetime) -> list[DisposalApproval]:
    """The authorizations of disposal, in force now, that records and the chief have signed. On a court's order first.

    `words` are about the same clip, incident or report.
    """
    valid = [
        word
        for word in words
        if "disposal" in word.statement.purposes and word.statement.issued_at <= now < word.statement.expires_at
    ]
    found = [
        DisposalApproval(
            tuple(sorted({one.digest, other.digest})), (one.signer, other.signer), one.statement.court_order
        )
        for one, other in _pairs(valid, _APPROVES_DISPOSAL)
    ]
    return sorted(found, key=lambda approval: (approval.court_order is None, approval.digests, approval.signers))


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
