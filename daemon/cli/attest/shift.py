"""What of a shift nobody has classified, grouped by incident, for a supervisor to confirm. Pure.

The policy service says which incidents of a clip are unclassified, and whether whoever asks was there, so nothing is
guessed from what docks tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from daemon.model.query_results import ListedClip
from daemon.review.known import KnownClip, listed_clip


@dataclass(frozen=True)
class Group:
    """Clips that one classification would be about: those of an incident, or one clip that has none."""

    incident_id: str | None
    clips: tuple[KnownClip, ...]

    @property
    def name(self) -> str:
        """`incident 23-310001`, or that there is none."""
        return "no incident" if self.incident_id is None else f"incident {self.incident_id}"

    @property
    def occurred_at(self) -> datetime:
        """When the first of them was triggered."""
        return min(clip.triggered for clip in self.clips)


@dataclass(frozen=True)
class Left:
    """Clips that are not proposed, and why."""

    clips: tuple[KnownClip, ...]
    why: str


@dataclass(frozen=True)
class Proposal:
    """What a supervisor is asked, and what is left. `seen`: how many clips began in the shift."""

    seen: int
    groups: tuple[Group, ...]
    left: tuple[Left, ...]


def propose(listed: Iterable[ListedClip], person_id: str) -> Proposal:
    """What is unclassified of the clips that the policy service listed for `person_id`, for them to classify."""
    each_once = {clip.clip_id: clip for clip in listed}  # a clip may lie at two docks
    shift = sorted(each_once.values(), key=lambda clip: (listed_clip(clip).began, clip.clip_id))
    unclassified = [clip for clip in shift if clip.unclassified or clip.alone]
    doubted = [clip for clip in unclassified if clip.clock_doubted]
    groups: list[Group] = []
    left: list[Left] = []
    for incident_id, clips in _by_incident(clip for clip in unclassified if not clip.clock_doubted):
        group = Group(incident_id, tuple(listed_clip(clip) for clip in clips))
        conflict = next((clip.conflict for clip in clips if clip.conflict), None)
        if conflict is None:
            groups.append(group)
        else:
            why = f"{group.name} is left for another supervisor: {person_id} {conflict}"
            left.append(Left(group.clips, why))
    if doubted:
        why = "the camera's clock was far off: look at it, and name the clip with --clip-ids"
        left.append(Left(tuple(listed_clip(clip) for clip in doubted), why))
    return Proposal(len(shift), tuple(groups), tuple(left))


def _by_incident(clips: Iterable[ListedClip]) -> Sequence[tuple[str | None, list[ListedClip]]]:
    """The unclassified incidents with their clips, in the order of their first clip. A clip of none stands alone."""
    found: list[tuple[str | None, list[ListedClip]]] = []
    of_incident: dict[str, list[ListedClip]] = {}
    for clip in clips:
        if clip.alone:
            found.append((None, [clip]))
        for incident_id in clip.unclassified:
            if incident_id not in of_incident:
                of_incident[incident_id] = []
                found.append((incident_id, of_incident[incident_id]))
            of_incident[incident_id].append(clip)
    return found
