"""One visit of somebody who attests: hear what is known, check, say in words, sign, print what was accepted.

What is said along the way goes to standard error, so that --json stays one document on standard output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import click

from daemon.cli.attest import check
from daemon.cli.attest.facts import Fact, clips_of, incident_of
from daemon.cli.attest.people import NOBODY, People
from daemon.cli.attest.sign import Accepted, sign_and_publish
from daemon.cli.attest.words import Wording
from daemon.cli.shared.person import Caller
from daemon.model.errors import BwcError
from daemon.model.zones import AgencyZone
from daemon.review.asking import attested_incidents
from daemon.review.known import PATIENT, Known, hear_dispatched, hear_known

_TOLD = 20
"""Of what does not fit, so much is told."""


@dataclass
class Attesting:
    """Who attests, and how. `people` is None when nobody said who is enrolled; `anyway` signs in spite of doubts."""

    person: Caller
    zone: AgencyZone
    people: People | None
    anyway: bool
    as_json: bool
    accepted: list[Accepted] = field(default_factory=list)

    def hear(self, facts: Sequence[Fact]) -> Known:
        """What is known, where these facts name an incident or a clip. Raises UnavailableError without a broker."""
        if not any(incident_of(fact.statement) or clips_of(fact.statement) for fact in facts):
            return Known()
        known = hear_known(self.person.broker, self.person.topics)
        if not self.anyway and check.strangers(facts, known):  # a broker with much to do is given more time
            known = hear_known(self.person.broker, self.person.topics, PATIENT)
        return known

    def check(self, facts: Sequence[Fact], known: Known) -> None:
        """Says what could not be checked. Raises DoubtfulError for what does not fit, or says that it is overridden."""
        for words in check.unchecked(facts, known, self.people):
            note(words)
        unknown = known.clips and check.strangers(facts, known)
        elsewhere = self._named_elsewhere(facts) if unknown else set()
        found = check.doubts(facts, known, elsewhere, self.people)
        for doubt in found[:_TOLD]:
            note(f"signed anyway: {doubt.text}" if self.anyway else doubt.text, None if self.anyway else doubt.hint)
        if len(found) > _TOLD:
            note(f"and {len(found) - _TOLD} more that do not fit")
        if found and not self.anyway:
            raise check.DoubtfulError("nothing is signed", hint="--anyway signs it as it is")

    def _named_elsewhere(self, facts: Sequence[Fact]) -> set[str]:
        """The incidents that dispatch documents name, and those of these facts of which people have said something."""
        person = self.person
        named = {incident_of(fact.statement) for fact in facts} - {None}
        dispatched = hear_dispatched(person.broker, person.topics)
        return dispatched | attested_incidents(person, sorted(str(name) for name in named if name not in dispatched))

    def teller(self, known: Known) -> Wording:
        """Says facts in words."""
        return Wording(known, self.people or NOBODY, self.zone)

    def sign(self, facts: Sequence[Fact], known: Known) -> list[Accepted]:
        """Says what is signed, signs and publishes it, and tells of each that is accepted. Raises as `sign` does."""
        teller = self.teller(known)
        note(f"signing as {teller.people.shown(self.person.person_id)}:")
        for fact in facts:
            click.echo(f"  {teller.say(fact)}", err=True)
        try:
            return sign_and_publish(self.person, [fact.statement for fact in facts], self._told)
        except BwcError:
            if self.as_json:  # no document will come, and what was accepted is accepted
                for one in self.accepted:
                    note(f"accepted: {one.kind} {one.digest}")
            raise

    def _told(self, one: Accepted) -> None:
        self.accepted.append(one)
        if one.note:
            note(f"warning: {one.kind} {one.digest[:16]}: {one.note}")
        if not self.as_json:
            click.echo(f"accepted: {one.kind} {one.digest}")


def note(words: str, hint: str | None = None) -> None:
    """Says something beside the result."""
    click.echo(f"bwc: {words}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)


def accepted_document(accepted: Sequence[Accepted]) -> dict[str, object]:
    """What --json prints of these."""
    return {
        "accepted": [one.digest for one in accepted],
        "notes": {one.digest: one.note for one in accepted if one.note},
    }
