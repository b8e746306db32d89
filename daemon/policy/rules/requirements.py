"""What would open a clip that is refused, found by asking the regime what it would say if more were known.

First everything that officers can still report or state is assumed at once. If that opens the clip, the assumptions
are taken back one after the other, the most demanding first, as long as the clip stays open. What is left is required.
If it does not open the clip, a legal hold is assumed to be lifted, and after that the chief's authorization is assumed;
where a court is asked for, its order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from daemon.policy.rules.cedar import CedarResult, ask
from daemon.policy.rules.question import ACCOUNTS, COURT_PURPOSES, STRONGER, Account, GivenAccount, Question
from daemon.policy.rules.regime import Regime


@dataclass(frozen=True, slots=True)
class Missing:
    """One fact that is not known yet. `officer` is a part in the question, or None."""

    kind: str
    attested_by: str
    form: str | None = None
    officer: str | None = None


@dataclass(frozen=True, slots=True)
class Requirements:
    """The least that would open a clip, the least demanding first. Empty when nothing would.

    `result` is what Cedar would say then, or None when that is not known.
    """

    missing: tuple[Missing, ...]
    result: CedarResult | None


_FEW = 8
"""Up to so many officers are looked at one by one."""
CLASSIFICATION = Missing("classification", "supervisor")
"""A supervisor has to classify the incident."""
AUTHORIZATION = Missing("authorization", "chief")
"""The chief has to authorize the viewer."""
HOLD_LIFTED = Missing("hold_lifted", "records")
"""Records has to lift a legal hold."""
COURT_ORDER = Missing("court_order", "records")
"""Records, and the chief or counsel, have to put a court's order on record."""


def find_requirements(regime: Regime, question: Question) -> Requirements:
    """The least that would open a clip to a question that the regime refuses."""
    if question.force == "unclassified":
        return Requirements((CLASSIFICATION,), None)
    for assumed in _assumptions(question):
        everything = _assume_all(regime, assumed)
        if not ask(regime, everything).allowed:
            continue
        least = _take_back(regime, question, everything)
        missing = _missing_accounts(question, least)
        missing += [HOLD_LIFTED] if least.held != question.held else []
        missing += [AUTHORIZATION] if least.authorized != question.authorized else []
        missing += [COURT_ORDER] if least.court_ordered != question.court_ordered else []
        return Requirements(tuple(missing), ask(regime, least))
    if not question.involved and (question.force != "none" or question.in_custody_death):
        # rules wait for the gates of the involved officers, and none is named: a classification must name them
        return Requirements((CLASSIFICATION,), None)
    return Requirements((), None)


def _assumptions(question: Question) -> list[Question]:
    """What could be decided for whoever asks, the least first."""
    if question.purpose in COURT_PURPOSES:
        return [question, replace(question, court_ordered=True)]
    now = (question.held, question.authorized)
    ways = (now, (False, now[1]), (now[0], True), (False, True))
    return [replace(question, held=held, authorized=authorized) for held, authorized in ways]


def _useful(regime: Regime) -> list[Account]:
    """The accounts that any rule of this regime looks at. No other account could open a clip."""
    return [account for account in ACCOUNTS if account.name in regime.mentions]


def _assume_all(regime: Regime, question: Question) -> Question:
    people = question.officers | ({question.viewer} & question.witnesses)
    assumed = {(person, account.name) for person in people for account in _useful(regime)}
    return replace(question, accounts=question.accounts | assumed)


def _take_back(regime: Regime, known: Question, assumed: Question) -> Question:
    """`assumed` with as few accounts beyond those of `known` as still open the clip."""
    extra = assumed.accounts - known.accounts
    # one kind of account at a time, then officer by officer: few questions even with many officers
    by_account = [{given for given in extra if given[1] == account.name} for account in reversed(_useful(regime))]
    current = _without(regime, assumed, by_account)
    left = [given for group in by_account for given in sorted(group, reverse=True) if given in current.accounts]
    return _without(regime, current, _apart(left, assumed))


def _apart(left: list[GivenAccount], question: Question) -> list[set[GivenAccount]]:
    """The accounts to take back one after the other: each by itself, or, of many officers, those of equal part at once.

    Rules know no names, so they cannot tell one involved officer who is neither wearer nor viewer from another. Of many
    such officers all are asked to state what would be enough from some of them; else each would cost a question.
    """
    if len(question.officers) <= _FEW:
        return [{given} for given in left]
    groups: dict[tuple[str, str], set[GivenAccount]] = {}
    for person, name in left:
        own = {question.wearer, question.viewer}
        part = person if person in own else "involved" if person in question.involved else "other"
        groups.setdefault((part, name), set()).add((person, name))
    return list(groups.values())


def _without(regime: Regime, question: Question, groups: Iterable[set[GivenAccount]]) -> Question:
    for group in groups:
        less = replace(question, accounts=question.accounts - group)
        if less != question and ask(regime, less).allowed:
            question = less
    return question


def _implied(given: GivenAccount, question: Question) -> bool:
    """Whether the same officer also gave a stronger form of this account. The weaker one then needs no mention."""
    officer, account = given
    return any((officer, stronger) in question.accounts for stronger in STRONGER[account])


def _missing_accounts(known: Question, least: Question) -> list[Missing]:
    extra = {given for given in least.accounts - known.accounts if not _implied(given, least)}
    return [
        Missing(account.kind, account.attested_by, account.form, officer)
        for account in ACCOUNTS
        for officer in sorted(officer for officer, name in extra if name == account.name)
    ]
