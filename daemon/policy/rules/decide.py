"""The decision: facts under a regime → an answer that says why, and what would open a refused clip.

Pure: the same facts under the same regime give the same answer, whatever their order.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from daemon.model.documents import Need
from daemon.model.statements import Because
from daemon.policy.rules.cedar import CedarResult, ask
from daemon.policy.rules.facts import Facts, ViewerFacts
from daemon.policy.rules.question import Question, Tier, classification, force_of, question_of, standing_authorizations
from daemon.policy.rules.regime import Regime
from daemon.policy.rules.requirements import Missing, find_requirements

T = TypeVar("T", bound=Hashable)

DEFAULT_DENY = Because(
    policy_id="default-deny", reason="no rule of this regime lets this person view it for this purpose yet"
)


@dataclass(frozen=True, slots=True)
class Ruling:
    """`because`: the policies that decided; of a refusal also the rules still waiting for something.

    `needs`: what would open a refused clip, least demanding first; empty when nothing could, or when it is released.
    `stands_until`: for a release that rests on the chief's authorization alone, when that runs out: no order outlives
    it.
    """

    outcome: Literal["released", "refused"]
    because: tuple[Because, ...]
    needs: tuple[Need, ...] = ()
    stands_until: datetime | None = None

    @property
    def released(self) -> bool:
        """Whether the viewer may view the clip."""
        return self.outcome == "released"

    def document(self) -> dict[str, Any]:
        """As JSON: `outcome`, `because` of `policy_id, reason`, `needs` of `kind, from, form, officer_id, by`."""
        return {
            "outcome": self.outcome,
            "because": [because.model_dump(mode="json") for because in self.because],
            "needs": [need.model_dump(mode="json", by_alias=True) for need in self.needs],
        }


@dataclass(frozen=True, slots=True)
class ClipStanding:
    """How a clip stands, whoever asks: what its officers still have to say, until when, and whether that has passed."""

    force: Tier
    needs: tuple[Need, ...]
    due: datetime | None
    overdue: bool


def decide(regime: Regime, facts: Facts) -> Ruling:
    """Whether the facts' viewer may view the clip for the facts' purpose. Never raises.

    A policy that fails to evaluate is a refusal, and `because` says so under `evaluation-error`.
    """
    question, person_of = question_of(facts)
    finding = _find(regime, question)
    return Ruling(
        outcome="released" if finding.released else "refused",
        because=finding.because,
        needs=_needs(finding, person_of, _due(facts, finding.due_hours)),
        stands_until=_until(facts) if finding.by_authorization_alone else None,
    )


def combine(answers: Sequence[Ruling]) -> Ruling:
    """The answer for a clip that belongs to several incidents: it opens only when each would open it.

    Raises ValueError for no answers at all.
    """
    if not answers:
        raise ValueError("no answers to combine")
    refused = [answer for answer in answers if not answer.released]
    ends = [answer.stands_until for answer in answers if answer.stands_until]
    return Ruling(
        outcome="refused" if refused else "released",
        because=_each_once(because for answer in refused or answers for because in answer.because),
        needs=_each_once(need for answer in refused for need in answer.needs),
        stands_until=None if refused else min(ends, default=None),
    )


def standing(regime: Regime, facts: Facts) -> ClipStanding:
    """How the clip stands at `facts.now`, whoever the facts' viewer is: for the board.

    A deadline that has passed makes it overdue, and unlocks nothing.
    """
    incident = classification(facts)
    officers = sorted({facts.clip.officer_id, *(incident.involved if incident else ())})
    answers = [
        decide(regime, facts.model_copy(update={"viewer": ViewerFacts(person_id=officer), "purpose": "report"}))
        for officer in officers
    ]
    waiting = _each_once(need for a in answers for need in a.needs if need.kind not in {"authorization", "hold_lifted"})
    due = min((need.by for need in waiting if need.by), default=None)
    return ClipStanding(force=force_of(facts), needs=waiting, due=due, overdue=due is not None and facts.now > due)


@dataclass(frozen=True, slots=True)
class _Finding:
    """An answer before parts are people again and hours a time."""

    released: bool
    because: tuple[Because, ...]
    missing: tuple[Missing, ...] = ()
    due_hours: float | None = None
    by_authorization_alone: bool = False


@functools.lru_cache(maxsize=8192)
def _find(regime: Regime, question: Question) -> _Finding:
    verdict = ask(regime, question)
    if verdict.errors:
        errors = [Because(policy_id="evaluation-error", reason=error[:2000]) for error in verdict.errors]
        return _Finding(released=False, because=tuple(errors))
    decided = _because(regime, verdict.decided)
    if verdict.allowed:
        alone = question.authorized and not ask(regime, replace(question, authorized=False)).allowed
        return _Finding(True, decided + _gates(regime, verdict), by_authorization_alone=alone)
    opening = find_requirements(regime, question)
    if opening.verdict is None or any(missing.kind == "authorization" for missing in opening.missing):
        return _Finding(False, decided or (DEFAULT_DENY,), opening.missing)
    waiting = _each_once(_because(regime, opening.verdict.decided) + _gates(regime, opening.verdict))
    hours = [hours for rule in waiting if (hours := regime.rules[rule.policy_id].due_hours) is not None]
    return _Finding(False, decided or (DEFAULT_DENY, *waiting), opening.missing, min(hours, default=None))


def _because(regime: Regime, policy_ids: Iterable[str]) -> tuple[Because, ...]:
    return tuple(Because(policy_id=name, reason=regime.rules[name].reason) for name in policy_ids)


def _gates(regime: Regime, verdict: CedarResult) -> tuple[Because, ...]:
    """The rules that opened the officers' gates, when the answer waited for those."""
    waited = any("gate_open" in regime.rules[name].mentions for name in verdict.decided)
    return _because(regime, verdict.gates) if waited else ()


def _due(facts: Facts, hours: float | None) -> datetime | None:
    incident = classification(facts)
    if hours is None or incident is None or incident.occurred_at is None:
        return None
    return incident.occurred_at + timedelta(hours=hours)


def _needs(finding: _Finding, person_of: dict[str, str], due: datetime | None) -> tuple[Need, ...]:
    """Least demanding first, and officers by their ids."""
    needs = [
        Need(
            kind=missing.kind,
            from_=missing.attested_by,
            form=missing.form,
            officer_id=person_of[missing.officer] if missing.officer else None,
            by=due if missing.kind == "statement" else None,
        )
        for missing in finding.missing
    ]
    rank = {kind: position for position, kind in reversed(list(enumerate(_kind(need) for need in needs)))}
    return tuple(sorted(needs, key=lambda need: (rank[_kind(need)], need.officer_id or "")))


def _kind(need: Need) -> tuple[str | None, ...]:
    return need.kind, need.from_, need.form


def _until(facts: Facts) -> datetime:
    return max(authorization.expires_at for authorization in standing_authorizations(facts))


def _each_once(items: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(items))
