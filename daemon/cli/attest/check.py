"""What is refused before it is signed: what does not fit what is known, and so is probably a typing mistake."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from daemon.cli.attest.facts import Fact, clips_of, incident_of, people_of
from daemon.cli.attest.people import People
from daemon.model.errors import BwcError
from daemon.model.times import format_instant
from daemon.review.known import Known, KnownClip

_NOT_BEFORE = ("occurred_at", "given_at", "filed_at", "classified_at")
"""Times that lie after the recording began."""


class DoubtfulError(BwcError):
    """What was typed does not fit what is known; nothing was signed."""

    exit_code = 2


@dataclass(frozen=True)
class Doubt:
    """What does not fit, and what may have been meant."""

    text: str
    hint: str | None = None


def doubts(facts: Sequence[Fact], known: Known, elsewhere: Iterable[str], people: People | None) -> list[Doubt]:
    """Everything about these facts that does not fit. What was not heard, or not given, is not checked.

    `elsewhere`: incidents that no clip names, and dispatch or somebody else does.
    """
    found: list[Doubt] = []
    incidents = known.by_incident.keys() | set(elsewhere)
    for fact in facts:
        if known.clips and known.whole:
            found += _of_incident(fact, incidents)
            found += _of_clips(fact, known)
        found += _of_times(fact, known)
        if people is not None:
            found += _of_people(fact, people)
    return list(dict.fromkeys(found))


def strangers(facts: Sequence[Fact], known: Known) -> bool:
    """Whether facts name an incident or a clip that is not known."""
    named = (incident_of(fact.statement) for fact in facts)
    return any(name is not None and not known.of_incident(name) for name in named) or any(
        clip not in known.clips for fact in facts for clip in clips_of(fact.statement)
    )


def unchecked(facts: Sequence[Fact], known: Known, people: People | None) -> Iterator[str]:
    """What could not be checked, in words."""
    about = any(incident_of(fact.statement) or clips_of(fact.statement) for fact in facts)
    if about and not known.clips:
        why = known.problems[0] if known.problems else "the broker retains no clip's notice for you"
        yield f"could not check whether the incident, the clips and the times fit: {why}"
    elif about and known.problems:
        yield f"checked by a part of what is known: {known.problems[0]}{_and_more(len(known.problems) - 1)}"
    if people is None and any(True for fact in facts for _ in people_of(fact.statement)):
        yield "could not check whether the persons are enrolled: no --trust and --root"


def _of_incident(fact: Fact, incidents: set[str]) -> Iterator[Doubt]:
    named = incident_of(fact.statement)
    if named is None or named in incidents:
        return
    folded = {incident.casefold(): incident for incident in sorted(incidents)}
    close = difflib.get_close_matches(named.casefold(), folded, n=3)
    hint = f"did you mean {_or([folded[one] for one in close])}?" if close else "bwc review list shows each clip's"
    yield Doubt(f"{fact.where}: no clip, no dispatch document and nobody else names an incident {named}", hint)


def _of_clips(fact: Fact, known: Known) -> Iterator[Doubt]:
    for clip_id in clips_of(fact.statement):
        if clip_id not in known.clips:
            alike = [clip for clip in known.clips if clip[:4] == clip_id[:4] or clip[-4:] == clip_id[-4:]]
            close = difflib.get_close_matches(clip_id, alike, n=1)
            hint = f"did you mean {close[0]}?" if close else "bwc review list shows them"
            yield Doubt(f"{fact.where}: no dock tells of a clip {clip_id}", hint)


def _of_times(fact: Fact, known: Known) -> Iterator[Doubt]:
    first = _earliest(fact, known)
    if first is None:
        return
    for name in _NOT_BEFORE:
        at = getattr(fact.statement, name, None)
        if name in fact.given and isinstance(at, datetime) and at < first.earliest:
            text = f"{name} {format_instant(at)} lies before the recording: clip {first.clip_id} of"
            yield Doubt(
                f"{fact.where}: {text} {first.officer_id} began {format_instant(first.earliest)}",
                "is the date right, and --timezone?",
            )


def _of_people(fact: Fact, people: People) -> Iterator[Doubt]:
    for person_id in people_of(fact.statement):
        if person_id not in people:
            close = people.closest(person_id)
            hint = f"did you mean {_or(close)}?" if close else "bwc trust show lists everybody"
            yield Doubt(f"{fact.where}: nobody is enrolled as {person_id}", hint)


def _earliest(fact: Fact, known: Known) -> KnownClip | None:
    """Of the clips in the incident, and those that are named, the one that began first."""
    incident = incident_of(fact.statement)
    about = [known.clips[clip] for clip in clips_of(fact.statement) if clip in known.clips]
    about += known.of_incident(incident) if incident is not None else []
    return min((clip for clip in about if clip.recorded), key=lambda clip: clip.earliest, default=None)


def _or(words: Sequence[str]) -> str:
    return " or ".join(words)


def _and_more(count: int) -> str:
    return f", and {count} more like it" if count > 0 else ""
