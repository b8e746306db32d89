"""Ruling again on the decisions on record, under another regime or under the same one.

Under the same regime the rulings show that the record is what the regime says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from daemon.model import strict_json
from daemon.policy.rules.decide import Ruling, combine, decide
from daemon.policy.rules.facts import Facts
from daemon.policy.rules.regime import Regime
from daemon.policy.store.rows import DecisionRow
from daemon.policy.store.store import PolicyDatabase

_LIMIT = 64 << 20


@dataclass(frozen=True)
class ReplayedDecision:
    """A decision on record and another regime's ruling on the same facts. `recorded` is the decision as JSON."""

    row: DecisionRow
    recorded: dict[str, Any]
    ruling: Ruling

    @property
    def differs(self) -> bool:
        """Whether the viewer was released the clip under only one of the two regimes."""
        return bool((self.recorded["outcome"] == "released") != self.ruling.released)


def replay(store: PolicyDatabase, regime: Regime) -> Iterator[ReplayedDecision]:
    """Rules on every decision on record again, oldest first. Raises MalformedError for a record that is no JSON."""
    for row in store.decisions():
        documents = strict_json.parse(row.facts.encode(), what="recorded facts", limit=_LIMIT)
        ruling = combine([decide(regime, Facts.model_validate(document)) for document in documents])
        recorded = strict_json.parse_object(row.answer.encode(), what="recorded answer", limit=_LIMIT)
        yield ReplayedDecision(row, recorded, ruling)
