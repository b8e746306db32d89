"""Deciding again what is on record: under another regime, or under the same one to show that the answer is the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from daemon.model import strict_json
from daemon.policy.rules.decide import Ruling, combine, decide
from daemon.policy.rules.facts import Facts
from daemon.policy.rules.regime import Regime
from daemon.policy.store.rows import DecisionRow
from daemon.policy.store.store import PolicyStore

_LIMIT = 64 << 20


@dataclass(frozen=True)
class ReplayedDecision:
    """One decision on record, and what the other regime says to the same facts."""

    row: DecisionRow
    recorded: dict[str, Any]
    ruling: Ruling

    @property
    def differs(self) -> bool:
        """Whether the viewer would have been answered otherwise."""
        return bool((self.recorded["outcome"] == "released") != self.ruling.released)


def replay(store: PolicyStore, regime: Regime) -> Iterator[ReplayedDecision]:
    """Every decision on record, oldest first."""
    for row in store.decisions():
        documents = strict_json.parse(row.facts.encode(), what="recorded facts", limit=_LIMIT)
        answer = combine([decide(regime, Facts.model_validate(document)) for document in documents])
        recorded = strict_json.parse_object(row.answer.encode(), what="recorded answer", limit=_LIMIT)
        yield ReplayedDecision(row, recorded, answer)
