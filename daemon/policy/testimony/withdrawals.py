"""Withdrawals: by its own signer, or by the chief.

What opens is withdrawn by anybody entitled. What closes is withdrawn only by somebody unconflicted. A label takes two
unconflicted people: one of them records, the other its own signer or the chief.
"""

from __future__ import annotations

from collections.abc import Callable

from daemon.model import statements as st
from daemon.policy.testimony.words import AnyWord, of_kind


class Withdrawals:
    """The withdrawals among some words."""

    def __init__(self, words: list[AnyWord]) -> None:
        """Only withdrawals whose moment has come are to be among `words`."""
        self._by_target: dict[str, list[AnyWord]] = {}
        for word in of_kind(words, st.Withdrawal):
            self._by_target.setdefault(word.statement.attestation_sha256, []).append(word)

    def any_of(self, word: AnyWord) -> bool:
        """Whether anybody entitled has withdrawn it: then it opens nothing any more."""
        return any(_entitled(withdrawal, word) for withdrawal in self._by_target.get(word.digest, ()))

    def unconflicted_of(self, word: AnyWord, may_act: Callable[[str], bool]) -> bool:
        """Whether somebody unconflicted has: then it closes nothing any more."""
        return any(
            _entitled(withdrawal, word) and withdrawal.trusted and may_act(withdrawal.signer)
            for withdrawal in self._by_target.get(word.digest, ())
        )

    def together_of(self, word: AnyWord, may_act: Callable[[str], bool]) -> bool:
        """Whether records and a second person have withdrawn it, both unconflicted: then it keeps nothing any more."""
        found = [one for one in self._by_target.get(word.digest, ()) if one.trusted and may_act(one.signer)]
        return any(
            "records" in records.roles and other.signer != records.signer and _entitled(other, word)
            for records in found
            for other in found
        )


def _entitled(withdrawal: AnyWord, word: AnyWord) -> bool:
    """Two people may have signed the same words; each withdraws their own, the chief withdraws both."""
    return withdrawal.signer == word.signer or "chief" in withdrawal.roles
