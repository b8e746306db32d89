"""What would open a clip that is refused, found by asking hypothetically.

Everything that officers could still say is assumed at once. If that opens the clip, the assumptions are taken back
again, the most demanding first, as long as it stays open: what is left is what is needed. If it does not, a legal hold
is assumed lifted, and last of all the chief's authorization.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from daemon.policy.rules.cedar import CedarResult, ask
from daemon.policy.rules.question import ACCOUNTS, STRONGER, Account, Question
from daemon.policy.rules.regime import Regime

Said = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Missing:
    """One fact that is not there yet. `officer` is a part in the question, or None."""

    kind: str
    attested_by: str
    form: str | None = None
    officer: str | None = None


@dataclass(frozen=True, slots=True)
class Requirements:
    """The least that would open a clip, least demanding first, and Cedar's answer if it were there."""

    missing: tuple[Missing, ...]
    verdict: CedarResult | None


CLASSIFICATION = Missing("classification", "supervisor")
AUTHORIZATION = Missing("authorization", "chief")
HOLD_LIFTED = Missing("hold_lifted", "records")


def find_requirements(regime: Regime, question: Question) -> Requirements:
    """The least that would open a refused question; empty when nothing could."""
    if question.force == "unclassified":
        return Requirements((CLASSIFICATION,), None)
    now = (question.held, question.authorized)
    for held, authorized in (now, (False, now[1]), (now[0], True), (False, True)):
        everything = _assume_all(regime, replace(question, held=held, authorized=authorized))
        if not ask(regime, everything).allowed:
            continue
        least = _take_back(regime, question, everything)
        missing = _accounts_missing(question, least)
        missing += [HOLD_LIFTED] if least.held != question.held else []
        missing += [AUTHORIZATION] if least.authorized != question.authorized else []
        return Requirements(tuple(missing), ask(regime, least))
    if not question.involved and (question.force != "none" or question.in_custody_death):
        return Requirements((CLASSIFICATION,), None)  # a gate over nobody: somebody must say who was involved
    return Requirements((), None)


def _useful(regime: Regime) -> list[Account]:
    """The accounts this regime ever looks at: no other could open anything."""
    return [account for account in ACCOUNTS if account.name in regime.mentions]


def _assume_all(regime: Regime, question: Question) -> Question:
    people = question.officers | ({question.viewer} & question.witnesses)
    assumed = {(person, account.name) for person in people for account in _useful(regime)}
    return replace(question, said=question.said | assumed)


def _take_back(regime: Regime, known: Question, assumed: Question) -> Question:
    """`assumed` with as little as possible beyond `known`, still open."""
    extra = assumed.said - known.said
    by_account = [
        {said for said in extra if said[1] == account.name} for account in reversed(_useful(regime))
    ]  # a whole account at a time first, then officer by officer: few questions, even with many officers
    current = _without(regime, assumed, by_account)
    one_by_one = [{said} for group in by_account for said in sorted(group, reverse=True) if said in current.said]
    return _without(regime, current, one_by_one)


def _without(regime: Regime, question: Question, groups: Iterable[set[Said]]) -> Question:
    for group in groups:
        less = replace(question, said=question.said - group)
        if less != question and ask(regime, less).allowed:
            question = less
    return question


def _implied(said: Said, question: Question) -> bool:
    """Whether the same officer gave a stronger form of this account, which cannot be there without it."""
    officer, account = said
    return any((officer, stronger) in question.said for stronger in STRONGER[account])


def _accounts_missing(known: Question, least: Question) -> list[Missing]:
    extra = {said for said in least.said - known.said if not _implied(said, least)}
    return [
        Missing(account.kind, account.attested_by, account.form, officer)
        for account in ACCOUNTS
        for officer in sorted(officer for officer, name in extra if name == account.name)
    ]
