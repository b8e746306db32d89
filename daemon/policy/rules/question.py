"""What is asked of a regime: the facts, reduced to what a rule can see (config/policies/schema.cedarschema).

Three plain derivations happen here, and no rule does: facts later than now and authorizations that ran out are
dropped; a wearer who is neither involved nor a witness counts as involved; a recorded statement is also a statement.

People are renamed to what they are to the clip (`wearer`, `involved-1`, …, or just `viewer`): a rule names nobody. So
two clips that differ only in who is who ask the same question, and the answer can be remembered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from daemon.model.statements import Force, Role
from daemon.policy.rules.facts import AuthorizationFacts, Facts, IncidentFacts

Tier = Force | Literal["unclassified"]
OFFICER_PURPOSES = ("report", "statement", "interview")
_ROLES = frozenset(get_args(Role))


@dataclass(frozen=True, slots=True)
class Account:
    """One way an officer can have accounted for themselves. `name` is its set in the rules' context."""

    name: str
    kind: Literal["report", "statement"]
    attested_by: str
    form: str | None


ACCOUNTS = (
    # from the least demanding to the most
    Account("reported", "report", "supervisor", None),
    Account("told_supervisor", "statement", "supervisor", "unrecorded"),
    Account("told_supervisor_recorded", "statement", "supervisor", "audio"),
    Account("told_supervisor_on_video", "statement", "supervisor", "video"),
    Account("told_internal_affairs", "statement", "internal_affairs", "unrecorded"),
    Account("told_internal_affairs_recorded", "statement", "internal_affairs", "audio"),
    Account("told_internal_affairs_on_video", "statement", "internal_affairs", "video"),
)
_FORMS = ("unrecorded", "audio", "video")


def accounts_of(to: str, form: str) -> tuple[str, ...]:
    """The sets a statement puts its giver in: a video is audio-recorded as well, and either is a statement."""
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
"""From an account to the stronger forms of the same, which imply it."""


@dataclass(frozen=True, slots=True)
class Question:
    """May `viewer` view the clip for `purpose`? Everybody appears under their part, not their name.

    `involved` counts the wearer who is neither involved nor a witness; `witnesses` excludes the involved;
    `said` holds (officer, account name).
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
    said: frozenset[tuple[str, str]]

    @property
    def officers(self) -> frozenset[str]:
        """Whom the rules call "the officer": the wearer and those involved."""
        return self.involved | {self.wearer}


def question_of(facts: Facts) -> tuple[Question, dict[str, str]]:
    """The question the facts ask, and the person id behind each part in it."""
    incident = classification(facts)
    wearer = facts.clip.officer_id
    involved = frozenset(incident.involved if incident else ())
    witnesses = frozenset(incident.witnesses if incident else ()) - involved
    if wearer not in involved | witnesses:
        involved |= {wearer}
    parts = _cast(facts.viewer.person_id, wearer, involved, witnesses)
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
        authorized=bool(standing_authorizations(facts)),
        said=frozenset((parts[person], account) for person, account in _said(facts) if person in parts),
    ), {part: person for person, part in parts.items()}


def classification(facts: Facts) -> IncidentFacts | None:
    """How the incident stands classified at `now`; None when it isn't, or when there is no incident."""
    incident = facts.incident
    if incident is None or incident.force == "unclassified":
        return None
    if incident.occurred_at is not None and incident.occurred_at > facts.now:
        return None
    return incident


def force_of(facts: Facts) -> Tier:
    """The force tier at `now`: `none` to `deadly`, or `unclassified`."""
    incident = classification(facts)
    if incident is not None:
        return incident.force
    return "none" if facts.incident is None and facts.clip.incident_id is None else "unclassified"


def standing_authorizations(facts: Facts) -> list[AuthorizationFacts]:
    """The chief's authorizations that hold now, for this viewer and purpose, given by somebody else."""
    return [
        a
        for a in facts.authorizations
        if a.person_id == facts.viewer.person_id != a.by
        and facts.purpose in a.purposes
        and a.expires_at > facts.now
        and (a.issued_at is None or a.issued_at <= facts.now)
    ]


def _said(facts: Facts) -> Iterable[tuple[str, str]]:
    for report in facts.reports:
        if report.filed_at <= facts.now:
            yield report.officer_id, "reported"
    for statement in facts.statements:
        if statement.given_at <= facts.now:
            for account in accounts_of(statement.to, statement.form):
                yield statement.officer_id, account


def _cast(viewer: str, wearer: str, involved: frozenset[str], witnesses: frozenset[str]) -> dict[str, str]:
    """Person id → part. The viewer keeps the part they have in the clip, or is just `viewer`."""
    parts = {wearer: "wearer"}
    for part, people in (("involved", involved), ("witness", witnesses)):
        for number, person in enumerate(sorted(people - parts.keys()), 1):
            parts[person] = f"{part}-{number}"
    parts.setdefault(viewer, "viewer")
    return parts
