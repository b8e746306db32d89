"""A wearer's own declaration that no force was used, where the agency lets it open their own clip to them.

It is not taken for what happened: it never stands against any other word, and opens nothing where anything is in doubt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from daemon.core.read_order import WEAPONS
from daemon.model import statements as st
from daemon.policy.cases.hearing import word_of
from daemon.policy.context import PolicyContext
from daemon.policy.rules.facts import IncidentFacts
from daemon.policy.store.rows import AnnouncedClipRow
from daemon.policy.testimony.testimony import Testimony
from daemon.policy.testimony.words import Word, of_kind


class DeclaredClip(Protocol):
    """What of a case matters to a declaration."""

    clip: AnnouncedClipRow
    testimony: Testimony

    @property
    def wearer(self) -> str:
        """Who wore the camera."""
        ...

    @property
    def skewed(self) -> bool:
        """Whether the camera's clock was too far off."""
        ...


def declaration_counts(context: PolicyContext, case: DeclaredClip, person_id: str) -> bool:
    """Whether this person's declaration on the clip opens it to them for their report, where nobody else has spoken.

    They wore it and nobody ever corrected that, no weapon triggered it, its camera's clock was right, and its dock says
    that no call of unknown crew and no unreadable document fell into that time.
    """
    if context.config.classification.no_force_by != "wearer" or case.wearer != person_id or case.skewed:
        return False
    if case.clip.capture_sha256 is None or not case.testimony.declared_by(person_id):
        return False
    if of_kind(case.testimony.words, st.Correction):  # whose calls the dock looked at then is not known
        return False
    for clip in _clips_beside(context, case):
        if clip.capture_sha256 is None:
            return False
        if context.store.statement(clip.capture_sha256, st.Capture).trigger_on in WEAPONS:
            return False
    if any(word.statement.force != "none" or word.statement.in_custody_death for word in _said_beside(context, case)):
        return False
    copies = context.store.copies(case.clip.clip_id)
    return all(context.store.statement(copy.tag_sha256, st.Tag).unclear == 0 for copy in copies)


def _clips_beside(context: PolicyContext, case: DeclaredClip) -> Iterator[AnnouncedClipRow]:
    """Every clip of the incidents that the clip belongs to, itself included."""
    yield case.clip
    for incident_id in case.testimony.incidents:
        for clip_id in context.store.clips_of_incident(incident_id):
            yield from context.store.copies(clip_id)


def _said_beside(context: PolicyContext, case: DeclaredClip) -> Iterator[Word[st.Classification]]:
    """What was said of other clips of these incidents by themselves."""
    for incident_id in case.testimony.incidents:
        yield from of_kind(
            [word_of(context, row) for row in context.store.words_beside(incident_id)], st.Classification
        )


def declared(incidents: Iterable[IncidentFacts]) -> list[IncidentFacts]:
    """The incidents with what nobody has classified taken as declared. What anybody did classify stays as it is."""
    return [
        incident.model_copy(update={"force": "none", "declared": True})
        if incident.force == "unclassified"
        else incident
        for incident in incidents
    ]
