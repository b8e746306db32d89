"""The question that is put to a regime: the facts, reduced to what a rule can see (config/policies/schema.cedarschema).

Four things are derived here, because no rule does so. Facts dated later than now and authorizations that ran out are
dropped. So are statements and reports dated before the incident happened. A wearer who is neither involved nor a
witness counts as involved. A recorded statement counts as a statement.

People appear under their part in the clip (`wearer`, `involved-1`, `witness-1`, or `viewer`), because a rule names
nobody. Two clips that differ only in who has which part ask the same question, so the result can be remembered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from daemon.model.statements import Force, Role
from daemon.policy.rules.facts import AuthorizationFacts, Facts, IncidentFacts

Tier = Force | Literal["unclassified"]
"""How much force was used, as far as it is classified."""
GivenAccount = tuple[str, str]
"""An officer's part in the question, and the name of an account that this officer gave."""
OFFICER_PURPOSES = ("report", "statement", "interview")
"""The purposes for which officers view their own clips."""
COURT_PURPOSES = ("court", "disclosure")
"""The purposes for which nothing opens a clip but a court's order."""
_ROLES = frozenset(get_args(Role))


@dataclass(frozen=True, slots=True)
class Account:
    """One way in which an officer can give an account: a report or a statement, to whom and in which form.

    `name` is the set of officers in the rules' context that gave this account.
    """

    name: str
    kind: Literal["report", "statement"]
    attested_by: str
    form: str | None


ACCOUNTS = (
    Account("reported", "report", "supervisor", None),
    Account("told_supervisor", "statement", "supervisor", "unrecorded"),
    Account("told_supervisor_recorded", "statement", "supervisor", "audio"),
    Account("told_supervisor_on_video", "statement", "supervisor", "video"),
    Account("told_internal_affairs", "statement", "internal_affairs", "unrecorded"),
    Account("told_internal_affairs_recorded", "statement", "internal_affairs", "audio"),
    Account("told_internal_affairs_on_video", "statement", "internal_affairs", "video"),
)
"""Every account, from the least demanding to the most."""
_FORMS = ("unrecorded", "audio", "video")


def accounts_of(to: str, form: str) -> tuple[str, ...]:
    """The accounts that a statement counts as: a video also as an audio recording, and both as a statement."""
    implied = _FORMS[: _FORMS.index(form) + 1]
    return tuple(a.name for a in ACCOUNTS if a.attested_by == to and a.form in implied)


STRONGER = {
    account.name: tuple(
        a.name
        for a in ACCOUNTS
        if a.name != account.name and account.form and a.form and account.name in accounts_of(a.attested_by, a.form)
    )
    for account in ACCOUNTS
}
"""For each account, the stronger forms of it, which count as this one too."""


@dataclass(frozen=True, slots=True)
class Question:
    """May `viewer` view the clip for `purpose`? People appear under their parts, never under their names.

    `involved` includes a wearer who is neither involved nor a witness. `witnesses` excludes the involved.
    `held`: a legal hold is in force. `authorized`: the chief has authorized this viewer for this purpose.
    `court_ordered`: a court's order names this viewer for this purpose. `claimed`: those of the involved whom only a
    conflicted word calls so.
    """

    purpose: str
    viewer: str
    roles: frozenset[str]
    wearer: str
    force: Tier
    in_custody_death: bool
    involved: frozenset[str]
    witnesses: frozenset[str]
    held: bool
    authorized: bool
    accounts: frozenset[GivenAccount]
    court_ordered: bool = False
    claimed: frozenset[str] = frozenset()

    @property
    def officers(self) -> frozenset[str]:
        """Whom the rules call "the officers": the wearer, and the involved but for those who are only claimed to be."""
        return (self.involved - self.claimed) | {self.wearer}


def question_of(facts: Facts) -> tuple[Question, dict[str, str]]:
    """The question that the facts ask, and the person id behind each part in it."""
    incident = classified_incident(facts)
    wearer = facts.clip.officer_id
    involved = frozenset(incident.involved if incident else ())
    witnesses = frozenset(incident.witnesses if incident else ()) - involved
    if wearer not in involved | witnesses:
        involved |= {wearer}
    parts = _parts(facts.viewer.person_id, wearer, involved, witnesses)
    return Question(
        purpose=facts.purpose,
        viewer=parts[facts.viewer.person_id],
        roles=_ROLES & frozenset(facts.viewer.roles),
        wearer=parts[wearer],
        force=force_of(facts),
        in_custody_death=incident is not None and incident.in_custody_death,
        involved=frozenset(parts[person] for person in involved),
        witnesses=frozenset(parts[person] for person in witnesses),
        held=any(hold.at is None or hold.at <= facts.now for hold in facts.holds),
        authorized=bool(valid_authorizations(facts)),
        court_ordered=bool(valid_court_orders(facts)),
        claimed=frozenset(parts[person] for person in (incident.claimed if incident else ()) if person in parts),
        accounts=frozenset((parts[person], account) for person, account in _accounts_given(facts) if person in parts),
    ), {part: person for person, part in parts.items()}


def classified_incident(facts: Facts) -> IncidentFacts | None:
    """The incident as it is classified at `now`. None when it is not classified, or when there is no incident."""
    incident = facts.incident
    if incident is None or incident.force == "unclassified":
        return None
    if incident.occurred_at is not None and incident.occurred_at > facts.now:
        return None
    return incident


def force_of(facts: Facts) -> Tier:
    """How much force was used, as known at `now`: `none` to `deadly`, or `unclassified`."""
    incident = classified_incident(facts)
    if incident is not None:
        return incident.force
    return "none" if facts.incident is None and facts.clip.incident_id is None else "unclassified"


def valid_authorizations(facts: Facts) -> list[AuthorizationFacts]:
    """The chief's authorizations for this viewer and this purpose that are valid now. Nobody can authorize oneself."""
    return [a for a in _authorizations(facts) if a.court_order is None]


def valid_court_orders(facts: Facts) -> list[AuthorizationFacts]:
    """The authorizations on a court's order, by two people, for this viewer and this purpose that are valid now."""
    return [a for a in _authorizations(facts) if a.court_order is not None and len(set(a.by)) >= 2]


def _authorizations(facts: Facts) -> Iterable[AuthorizationFacts]:
    return (
        a
        for a in facts.authorizations
        if a.person_id == facts.viewer.person_id
        and a.person_id not in a.by
        and facts.purpose in a.purposes
        and a.expires_at > facts.now
        and (a.issued_at is None or a.issued_at <= facts.now)
    )


def _accounts_given(facts: Facts) -> Iterable[tuple[str, str]]:
    """Each account given by now, and since the incident: the officer's person id and the account's name."""
    incident = classified_incident(facts)
    since = incident.occurred_at if incident else None
    for report in facts.reports:
        if report.filed_at <= facts.now and (since is None or report.filed_at >= since):
            yield report.officer_id, "reported"
    for statement in facts.statements:
        if statement.given_at <= facts.now and (since is None or statement.given_at >= since):
            for account in accounts_of(statement.to, statement.form):
                yield statement.officer_id, account


def _parts(viewer: str, wearer: str, involved: frozenset[str], witnesses: frozenset[str]) -> dict[str, str]:
    """From person id to part. The viewer keeps the part they have in the clip; without one they are `viewer`."""
    parts = {wearer: "wearer"}
    for part, people in (("involved", involved), ("witness", witnesses)):
        for number, person in enumerate(sorted(people - parts.keys()), 1):
            parts[person] = f"{part}-{number}"
    parts.setdefault(viewer, "viewer")
    return parts
