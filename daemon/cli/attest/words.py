"""Saying in words, with counts, what will be signed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from daemon.cli.attest.facts import Fact, clips_of, incident_of
from daemon.cli.attest.people import People
from daemon.core.words import EXCUSALS
from daemon.model import statements as st
from daemon.model.times import format_instant
from daemon.model.zones import AgencyZone
from daemon.review.known import UNKNOWN, Known, KnownClip

FORCES = {
    "none": "no force",
    "minimal": "minimal force",
    "nondeadly": "nondeadly force",
    "serious": "serious force",
    "deadly": "deadly force",
}
_TO = {"supervisor": "a supervisor", "internal_affairs": "internal affairs"}
_FORMS = {"unrecorded": "without a recording", "audio": "audio-recorded", "video": "on video"}


@dataclass(frozen=True)
class Wording:
    """What it takes to say a fact: what is known, who is who, and the zone that its reader lives in."""

    known: Known
    people: People
    zone: AgencyZone

    def say(self, fact: Fact) -> str:
        """One fact: `classification of 3 clips of 2 officers in incident 23-310001: serious force, …`."""
        words = _WORDS[type(fact.statement)](self, fact.statement)
        times = [f"{name.replace('_', ' ')} {self.time(at)}" for name, at in _times(fact)]
        return "; ".join([words, *times])

    def time(self, at: datetime) -> str:
        """`2026-11-28T08:47:00.000Z (2026-11-28 00:47:00-08:00)`."""
        return f"{format_instant(at)} ({self.zone.shown(at)})"

    def about(self, statement: st.Statement) -> str:
        """`3 clips of 2 officers in incident 23-310001, and 1 clip named`."""
        incident, named = incident_of(statement), clips_of(statement)
        parts = []
        if incident is not None:
            clips = self.known.of_incident(incident)
            parts.append(f"{counted_clips(clips)} in incident {incident}" if clips else f"incident {incident}")
            named = tuple(clip for clip in named if clip not in {one.clip_id for one in clips})
        known = [self.known.clips[clip] for clip in named if clip in self.known.clips]
        if len(named) == 1:
            parts.append(f"clip {named[0]}" + (f" of {self.people.shown(known[0].officer_id)}" if known else ""))
        elif named:
            parts.append(f"{counted_clips(known) if len(known) == len(named) else counted(len(named), 'clip')} named")
        return ", and ".join(parts)

    def persons(self, ids: Sequence[str]) -> str:
        """`51234 (Officer Lee), 52345 (Officer Park)`, or that there are none."""
        return ", ".join(self.people.shown(person) for person in ids) or "none"

    def _classification(self, said: Any) -> str:
        death = "a death in custody" if said.in_custody_death else "no death in custody"
        who = f"involved: {self.persons(said.involved)}; witnesses: {self.persons(said.witnesses)}"
        return f"classification of {self.about(said)}: {FORCES[said.force]}, {death}; {who}"

    def _statement(self, said: Any) -> str:
        to = f"a statement to {_TO[said.to]}, {_FORMS[said.form]}"
        return f"{self.people.shown(said.officer_id)} gave {to}, about {self.about(said)}"

    def _report(self, said: Any) -> str:
        return f"{self.people.shown(said.officer_id)} filed the report on {self.about(said)}"

    def _authorization(self, said: Any) -> str:
        who = self.people.shown(said.person_id) if said.person_id else "whoever is in charge of disposal"
        about = f"disposal report {said.report_sha256}" if said.report_sha256 else self.about(said)
        words = f"authorization of {who} for {', '.join(said.purposes)}: {about}"
        order = said.court_order
        if order is not None:
            dated = f"dated {self.time(order.dated)}, its document's SHA-256 {order.sha256}"
            words += f"; on the order {order.reference} of {order.court}, {dated}"
        return f"{words}; for: {said.reason}" if said.reason else words

    def _hold(self, said: Any) -> str:
        return f"legal hold {said.state} on {self.about(said)}, for: {said.reason}"

    def _correction(self, said: Any) -> str:
        worn = [f"worn by {self.people.shown(said.officer_id)}"] if said.officer_id else []
        admitted = ["admitted from quarantine"] if said.admit else []
        return f"correction of {self.about(said)}: {', '.join((*worn, *admitted)) or 'nothing'}, for: {said.reason}"

    def _declaration(self, said: Any) -> str:
        return f"declaration that on {self.about(said)} no force was used and nobody died, by you or in your sight"

    def _label(self, said: Any) -> str:
        case = f", case {said.case_number}" if said.case_number else ""
        return f"label on {self.about(said)}: {said.category}{case}"

    def _excusal(self, said: Any) -> str:
        why = EXCUSALS[said.reason] + (f": {said.note}" if said.note else "")
        return f"excusal of {self.people.shown(said.officer_id)} on {self.about(said)}, {why}; the verdict stands"

    def _withdrawal(self, said: Any) -> str:
        return f"withdrawal of attestation {said.attestation_sha256}, for: {said.reason}"


_WORDS: dict[type[st.Statement], Callable[[Wording, Any], str]] = {
    st.Classification: Wording._classification,
    st.OfficerStatement: Wording._statement,
    st.Report: Wording._report,
    st.Authorization: Wording._authorization,
    st.Hold: Wording._hold,
    st.Correction: Wording._correction,
    st.Declaration: Wording._declaration,
    st.Label: Wording._label,
    st.Excusal: Wording._excusal,
    st.Withdrawal: Wording._withdrawal,
}


def counted(number: int, what: str) -> str:
    """`1 clip`, `3 clips`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def counted_clips(clips: Sequence[KnownClip]) -> str:
    """`3 clips of 2 officers`."""
    officers = {clip.officer_id for clip in clips} - {UNKNOWN}
    of = counted(len(officers), "officer") if officers else "an unknown officer"
    return f"{counted(len(clips), 'clip')} of {of}"


def _times(fact: Fact) -> list[tuple[str, datetime]]:
    """The times that somebody typed, in the statement's order."""
    found = ((name, getattr(fact.statement, name)) for name in type(fact.statement).model_fields if name in fact.given)
    return [(name, at) for name, at in found if isinstance(at, datetime)]
