"""The ruling on facts under a regime: released or refused, why, and what would open a refused clip.

The same facts under the same regime give the same ruling, whatever order the facts come in.
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
from daemon.policy.rules.question import (
    Question,
    Tier,
    classified_incident,
    force_of,
    question_of,
    valid_authorizations,
    valid_court_orders,
)
from daemon.policy.rules.regime import Regime
from daemon.policy.rules.requirements import Missing, find_requirements

T = TypeVar("T", bound=Hashable)
_GRANTED = frozenset({"authorization", "court_order"})
"""Needs that somebody in charge decides on; no rule waits for them."""
_ABOUT_INCIDENT = frozenset({"classification", "statement", "report"})

DEFAULT_DENY = Because(
    policy_id="default-deny", reason="no rule of this regime lets this person view it for this purpose yet"
)
"""The reason for a refusal when no rule forbids it and none permits it."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whether a person may view a clip for a purpose, and why.

    `because`: the policies that decided; for a refusal also the rules that still wait for something.
    `needs`: what would open a refused clip, the least demanding first. Empty for a release, and when nothing would.
    `stands_until`: for a release that rests on an authorization or a court's order alone, when that ends. No release
    order may outlive it.
    """

    outcome: Literal["released", "refused"]
    because: tuple[Because, ...]
    needs: tuple[Need, ...] = ()
    stands_until: datetime | None = None

    @property
    def released(self) -> bool:
        """Whether the person may view the clip."""
        return self.outcome == "released"

    def document(self) -> dict[str, Any]:
        """The ruling as JSON.

        `outcome`; `because`, each with `policy_id` and `reason`; `needs`, each with `kind`, `from`, `form`,
        `officer_id`, `incident_id`, `by` and, where there is one, `note`.
        """
        return {
            "outcome": self.outcome,
            "because": [because.model_dump(mode="json") for because in self.because],
            "needs": [_plain(need) for need in self.needs],
        }


def _plain(need: Need) -> dict[str, Any]:
    """A need as JSON. A note is there only where there is something to say."""
    return need.model_dump(mode="json", by_alias=True, exclude=None if need.note else {"note"})


@dataclass(frozen=True, slots=True)
class ClipStanding:
    """How a clip stands, whoever asks.

    `needs`: the statements and reports that its officers still owe. `due`: when the earliest of them is due, or None.
    `overdue`: whether that time has passed.
    """

    force: Tier
    needs: tuple[Need, ...]
    due: datetime | None
    overdue: bool


def decide(regime: Regime, facts: Facts) -> Ruling:
    """Whether the facts' viewer may view the clip for the facts' purpose. Never raises.

    If a policy fails to evaluate, the ruling is a refusal, and `because` names it under `evaluation-error`.
    """
    question, person_of = question_of(facts)
    finding = _find(regime, question)
    return Ruling(
        outcome="released" if finding.released else "refused",
        because=finding.because,
        needs=_needs(facts, finding, person_of),
        stands_until=_authorized_until(facts) if finding.by_authorization_alone else None,
    )


def combine(rulings: Sequence[Ruling]) -> Ruling:
    """The ruling on a clip that belongs to several incidents: released only if it is released in each of them.

    Raises ValueError when there are no rulings.
    """
    if not rulings:
        raise ValueError("no rulings to combine")
    refused = [ruling for ruling in rulings if not ruling.released]
    ends = [ruling.stands_until for ruling in rulings if ruling.stands_until]
    return Ruling(
        outcome="refused" if refused else "released",
        because=_each_once(because for ruling in refused or rulings for because in ruling.because),
        needs=_each_once(need for ruling in refused for need in ruling.needs),
        stands_until=None if refused else min(ends, default=None),
    )


def clip_standing(regime: Regime, facts: Facts) -> ClipStanding:
    """How the clip stands at `facts.now`, for the status page. The facts' viewer and purpose do not count.

    A deadline that has passed makes the clip overdue, and unlocks nothing.
    """
    incident = classified_incident(facts)
    officers = sorted({facts.clip.officer_id, *(incident.involved if incident else ())})
    rulings = [
        decide(regime, facts.model_copy(update={"viewer": ViewerFacts(person_id=officer), "purpose": "report"}))
        for officer in officers
    ]
    owed = _each_once(
        need for ruling in rulings for need in ruling.needs if need.kind not in _GRANTED | {"hold_lifted"}
    )
    due = min((need.by for need in owed if need.by), default=None)
    return ClipStanding(force=force_of(facts), needs=owed, due=due, overdue=due is not None and facts.now > due)


@dataclass(frozen=True, slots=True)
class _Finding:
    """A ruling on a question: it names parts instead of people, and hours after the incident instead of times."""

    released: bool
    because: tuple[Because, ...]
    missing: tuple[Missing, ...] = ()
    due_hours: float | None = None
    by_authorization_alone: bool = False


@functools.lru_cache(maxsize=8192)
def _find(regime: Regime, question: Question) -> _Finding:
    result = ask(regime, question)
    if result.errors:
        errors = [Because(policy_id="evaluation-error", reason=error[:2000]) for error in result.errors]
        return _Finding(released=False, because=tuple(errors))
    decided = _because(regime, result.policies)
    if result.allowed:
        granted = question.authorized or question.court_ordered
        alone = granted and not ask(regime, replace(question, authorized=False, court_ordered=False)).allowed
        return _Finding(True, decided + _gate_reasons(regime, result), by_authorization_alone=alone)
    required = find_requirements(regime, question)
    if required.result is None:
        return _Finding(False, decided or (DEFAULT_DENY,), required.missing)
    deciding = (*required.result.policies, *required.result.gate_policies)
    hours = min((hours for name in deciding if (hours := regime.rules[name].due_hours) is not None), default=None)
    if any(missing.kind in _GRANTED for missing in required.missing):
        return _Finding(False, decided or (DEFAULT_DENY,), required.missing, hours)
    waiting = _each_once(_because(regime, required.result.policies) + _gate_reasons(regime, required.result))
    return _Finding(False, decided or (DEFAULT_DENY, *waiting), required.missing, hours)


def _because(regime: Regime, policy_ids: Iterable[str]) -> tuple[Because, ...]:
    return tuple(Because(policy_id=name, reason=regime.rules[name].reason) for name in policy_ids)


def _gate_reasons(regime: Regime, result: CedarResult) -> tuple[Because, ...]:
    """The rules that opened the officers' gates, if any of the deciding policies looks at those."""
    waited = any("gate_open" in regime.rules[name].mentions for name in result.policies)
    return _because(regime, result.gate_policies) if waited else ()


def _due(facts: Facts, hours: float | None) -> datetime | None:
    incident = classified_incident(facts)
    if hours is None or incident is None or incident.occurred_at is None:
        return None
    return incident.occurred_at + timedelta(hours=hours)


def _needs(facts: Facts, finding: _Finding, person_of: dict[str, str]) -> tuple[Need, ...]:
    """What is missing, the least demanding first; for several officers by their ids."""
    due = _due(facts, finding.due_hours)
    incident_id = facts.incident.incident_id if facts.incident else facts.clip.incident_id
    needs = [
        Need(
            kind=missing.kind,
            from_=missing.attested_by,
            form=missing.form,
            officer_id=person_of[missing.officer] if missing.officer else None,
            incident_id=incident_id if missing.kind in _ABOUT_INCIDENT else None,
            by=due if missing.kind == "statement" else None,
        )
        for missing in finding.missing
    ]
    rank = {kind: position for position, kind in reversed(list(enumerate(_kind(need) for need in needs)))}
    return tuple(sorted(needs, key=lambda need: (rank[_kind(need)], need.officer_id or "")))


def _kind(need: Need) -> tuple[str | None, ...]:
    return need.kind, need.from_, need.form


def _authorized_until(facts: Facts) -> datetime:
    return max(granted.expires_at for granted in (*valid_authorizations(facts), *valid_court_orders(facts)))


def _each_once(items: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(items))
