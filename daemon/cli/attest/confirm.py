"""`bwc attest classification --shift`: what a shift left unclassified, shown, confirmed by incident, signed at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from daemon.cli.attest.attesting import Attesting, accepted_document, note
from daemon.cli.attest.facts import Fact, facts_of
from daemon.cli.attest.shift import Group, Left, propose
from daemon.cli.attest.sign import Accepted
from daemon.cli.attest.words import FORCES, Wording, counted, counted_clips
from daemon.cli.shared.output import print_json
from daemon.cli.shared.person import Caller
from daemon.cli.shared.typed_times import typed_span
from daemon.core.words import TRIGGERS
from daemon.model import statements as st
from daemon.model.errors import ConfigurationError
from daemon.model.query_results import ListedClip
from daemon.review.asking import asking
from daemon.review.known import Known, KnownClip, listed_clip

_BY_GROUP = ("incident_id", "clip_ids", "occurred_at")


@dataclass(frozen=True)
class Shift:
    """What is asked for: the span as typed, what is said of each incident, and whether nobody is to be asked."""

    span: str
    said: dict[str, Any]
    yes: bool


def classify_shift(attesting: Attesting, shift: Shift) -> None:
    """Proposes, asks, signs what is confirmed. Raises ConfigurationError, UnavailableError, and as signing does."""
    _refuse_unusable(attesting, shift)
    try:
        start, end = typed_span(shift.span, attesting.zone)
    except ValueError as error:
        raise ConfigurationError(f"--shift: {error}") from None
    person = attesting.person
    listed = list_clips(person, start, end)
    known = Known({clip.clip_id: listed_clip(clip) for clip in listed})
    proposal = propose(listed, person.person_id)
    teller = attesting.teller(known)
    note(f"clips that began from {teller.time(start)} to {teller.time(end)}: {proposal.seen}")
    facts = [_fact(group, shift.said, attesting) for group in proposal.groups]
    attesting.check(facts, known)
    confirmed: list[tuple[Group, Fact]] = []
    for group, fact in zip(proposal.groups, facts, strict=True):
        _show(group, teller)
        if shift.yes or click.confirm(f"  sign: {_said(shift.said, teller)}?", default=False, err=True):
            confirmed.append((group, fact))
    accepted = attesting.sign([fact for _, fact in confirmed], known) if confirmed else []
    _report(attesting, [group for group, _ in confirmed], accepted, proposal.left)


def _refuse_unusable(attesting: Attesting, shift: Shift) -> None:
    if attesting.as_json and not shift.yes:
        raise ConfigurationError("--shift asks before it signs, which --json cannot", hint="add --yes")
    for name in _BY_GROUP:
        if shift.said.get(name):
            raise ConfigurationError(
                f"--{name.replace('_', '-')} goes with one incident, and --shift finds them itself"
            )
    if attesting.person.person_id in (*shift.said["involved"], *shift.said["witnesses"]):
        raise ConfigurationError("you name yourself: another supervisor classifies what you were in")
    _ = attesting.person.sign_key  # a missing key is told before anything is asked


def list_clips(person: Caller, since: datetime, until: datetime) -> list[ListedClip]:
    """The clips that began in [since, until), as the policy service lists them. Raises as `asking` and its rows do."""
    question = st.AskedClips(what="clips", since=since, until=until)
    with asking(person) as session:
        return list(session.rows(question, ListedClip))


def _fact(group: Group, said: dict[str, Any], attesting: Attesting) -> Fact:
    about: dict[str, Any] = {"incident_id": group.incident_id}
    if group.incident_id is None:
        about = {"clip_ids": tuple(clip.clip_id for clip in group.clips)}
    payload = said | {"force": said["force"] or "none", "occurred_at": group.occurred_at} | about
    [fact] = facts_of(st.Classification, [payload], attesting.zone)
    return fact


def _show(group: Group, teller: Wording) -> None:
    click.echo(f"{group.name}: {counted_clips(group.clips)}", err=True)
    for clip in group.clips:
        click.echo(f"  {_line(clip, teller)}", err=True)


def _line(clip: KnownClip, teller: Wording) -> str:
    if not clip.recorded:
        return f"{clip.clip_id}  {teller.zone.shown(clip.began)}  taken in; who recorded it, and when, is not known"
    length = (clip.stopped_at - clip.started_at).total_seconds()
    trigger = TRIGGERS.get(clip.trigger, TRIGGERS["unknown"])
    began = teller.zone.shown(_whole_second(clip.began))
    return f"{clip.clip_id}  {began}  {length:.0f} s  {teller.people.shown(clip.officer_id)}, by {trigger}"


def _said(said: dict[str, Any], teller: Wording) -> str:
    """What is said alike of every incident."""
    death = ", a death in custody" if said["in_custody_death"] else ""
    involved = f", involved: {teller.persons(said['involved'])}" if said["involved"] else ""
    witnesses = f", witnesses: {teller.persons(said['witnesses'])}" if said["witnesses"] else ""
    return f"{FORCES[said['force'] or 'none']}{death}{involved}{witnesses}"


def _report(attesting: Attesting, groups: Sequence[Group], accepted: Sequence[Accepted], left: Sequence[Left]) -> None:
    if attesting.as_json:
        told = [
            {"incident_id": group.incident_id, "clip_ids": [clip.clip_id for clip in group.clips], "digest": one.digest}
            for group, one in zip(groups, accepted, strict=True)
        ]
        left_out = [{"clip_ids": [clip.clip_id for clip in each.clips], "why": each.why} for each in left]
        print_json({**accepted_document(accepted), "groups": told, "left": left_out})
        return
    for each in left:
        click.echo(f"{counted_clips(each.clips)}: {each.why}")
        for clip in each.clips:
            click.echo(f"  {clip.clip_id}  {attesting.zone.shown(_whole_second(clip.began))}  {clip.officer_id}")
    click.echo(f"{counted(len(accepted), 'classification')} signed")


def _whole_second(at: datetime) -> datetime:
    return at.replace(microsecond=0)
