"""What stands in the way of a need: when nobody who may bring it about is left, the refusal says so in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from daemon.model.documents import Need
from daemon.policy.cases.clip_case import Case
from daemon.policy.context import PolicyContext
from daemon.policy.rules.decide import Ruling

_ROLES: dict[str, frozenset[str]] = {
    "classification": frozenset({"supervisor", "internal_affairs"}),
    "report": frozenset({"supervisor"}),
    "authorization": frozenset({"chief"}),
    "court_order": frozenset({"records"}),
    "hold_lifted": frozenset({"records", "internal_affairs", "chief"}),
    "correction": frozenset({"records", "supervisor"}),
}
"""Who may bring about what is needed. A statement is taken by whoever holds the role that it names."""
_NOBODY = (
    "nobody enrolled who holds this role is outside the incident: the agency enrols another (a neighbouring agency's"
    " supervisor or investigator, an acting chief)"
)


def with_notes(context: PolicyContext, case: Case, ruling: Ruling) -> Ruling:
    """The ruling, with a note at each need that nobody enrolled today could bring about."""
    if not ruling.needs:
        return ruling
    return replace(ruling, needs=tuple(_noted(context, case, need) for need in ruling.needs))


def _noted(context: PolicyContext, case: Case, need: Need) -> Need:
    roles = _ROLES.get(need.kind) or frozenset({need.from_ or ""})
    may = _may(case, need)
    if any(may(person) for person in _holders(context, roles)):
        return need
    return need.model_copy(update={"note": _NOBODY})


def _may(case: Case, need: Need) -> Callable[[str], bool]:
    parties, officer = case.testimony.parties, need.officer_id or ""
    if need.kind == "classification":
        return parties.may_classify
    if need.kind in {"statement", "report"}:
        return lambda person: parties.may_take_account(person, officer)
    return parties.may_act


def _holders(context: PolicyContext, roles: frozenset[str]) -> Iterable[str]:
    return (person for role in sorted(roles) for person in context.trust.holders(role))
