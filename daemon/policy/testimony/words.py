"""A word: one attestation by a person, as far as it matters who gave it and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from daemon.model import statements as st

S = TypeVar("S", bound=st.Statement, covariant=True)


@dataclass(frozen=True, slots=True)
class Word(Generic[S]):
    """One accepted attestation.

    `roles`: those of its signer when it was accepted. `moment`: the latest time it names; it acts from then on.
    `trusted` is False when its signer's key is revoked from a time at or before the word was dated, or first heard:
    then it opens nothing, and what it closes stays closed.
    """

    digest: str
    signer: str
    roles: frozenset[str]
    moment: datetime
    trusted: bool
    statement: S


AnyWord = Word[st.Statement]


def of_kind(words: list[AnyWord], kind: type[S]) -> list[Word[S]]:
    """The words of one kind, in the order given."""
    return [word for word in words if isinstance(word.statement, kind)]  # type: ignore[misc]
