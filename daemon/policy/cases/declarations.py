"""A wearer's own declaration that no force was used, where the agency lets it open their own clip to them.

It is not taken for what happened: it never stands against any other word, and opens nothing where anything is in doubt.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from daemon.core.read_order import WEAPONS
from daemon.model import statements as st
from daemon.policy.context import PolicyContext
from daemon.policy.rules.facts import IncidentFacts
from daemon.policy.store.rows import AnnouncedClipRow
from daemon.policy.testimony.testimony import Testimony


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

    They wore it, no weapon triggered it, its camera's clock was right, and its dock says that no call of unknown crew
    and no unreadable document fell into that time.
    """
    if context.config.classification.no_force_by != "wearer" or case.wearer != person_id or case.skewed:
        return False
    if case.clip.capture_sha256 is None or not case.testimony.declared_by(person_id):
        return False
    capture = context.store.statement(case.clip.capture_sha256, st.Capture)
    tag = context.store.statement(case.clip.tag_sha256, st.Tag)
    return capture.trigger_on not in WEAPONS and tag.unclear == 0


def declared(incidents: Iterable[IncidentFacts]) -> list[IncidentFacts]:
    """The incidents with what nobody has classified taken as declared. What anybody did classify stays as it is."""
    return [
        incident.model_copy(update={"force": "none", "declared": True})
        if incident.force == "unclassified"
        else incident
        for incident in incidents
    ]
