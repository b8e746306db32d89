"""What of a shift nobody has classified, grouped by incident, for a supervisor to confirm. Pure.

A group that is signed must not undo what the supervisor said before: of each signer the latest classification counts.
So an incident is proposed only when it can be seen that it is not classified, or, where it cannot be seen, with a
warning.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from daemon.model.config import PolicyConfig
from daemon.review.known import Known, KnownClip

DOUBTED_SKEW = float(PolicyConfig.model_fields["max_skew_seconds"].default)
"""A camera's clock that was off by more seconds: a classification counts for such a clip only if it names it."""


@dataclass(frozen=True)
class Group:
    """Clips that one classification would be about. `unseen`: it cannot be seen whether it is classified already."""

    incident_id: str | None
    clips: tuple[KnownClip, ...]
    unseen: bool = False

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


def propose(known: Known, start: datetime, end: datetime, person_id: str) -> Proposal:
    """The clips that began in [start, end) by the dock's clock and are unclassified, for `person_id` to classify."""
    shift = sorted((c for c in known.clips.values() if start <= c.began < end), key=lambda c: (c.began, c.clip_id))
    waiting = [clip for clip in shift if clip.clip_id not in known.standings]
    unclassified = [clip for clip in shift if _force(known, clip) == "unclassified"]
    doubted = [clip for clip in unclassified if abs(clip.skew) > DOUBTED_SKEW]
    groups, settled = _groups(known, [clip for clip in unclassified if abs(clip.skew) <= DOUBTED_SKEW])
    mine = {group for group in groups if _is_in(known, group, person_id)}
    left = [
        Left(group.clips, f"left for another supervisor: you are in {group.name}") for group in groups if group in mine
    ]
    for clips, why in (
        (doubted, "the camera's clock was far off: look at it, and name the clip with --clip-ids"),
        (settled, "its incident is classified, but the policy service has not decided it anew"),
        (waiting, "the policy service has said nothing of it yet, or you may not hear it"),
    ):
        left += [Left(tuple(clips), why)] if clips else []
    return Proposal(len(shift), tuple(group for group in groups if group not in mine), tuple(left))


def _groups(known: Known, clips: Iterable[KnownClip]) -> tuple[list[Group], list[KnownClip]]:
    """The groups in the order of their first clip, and the clips all of whose incidents are classified."""
    classified = _classified(known)
    of_incident: dict[str, list[KnownClip]] = {}
    alone: set[str] = set()
    groups: list[Group] = []
    settled = []
    for clip in clips:
        incidents = known.incidents_of(clip)
        still = [incident for incident in incidents if incident not in classified]
        if not incidents:
            groups.append(Group(None, (clip,)))
        elif not still:
            settled.append(clip)
        for incident in still:
            of_incident.setdefault(incident, []).append(clip)
        if len(still) == 1:
            alone.update(still)
    groups += [Group(name, tuple(found), unseen=name not in alone) for name, found in of_incident.items()]
    return sorted(groups, key=lambda group: (group.clips[0].began, group.name)), settled


def _classified(known: Known) -> Collection[str]:
    """Incidents that are classified as far as it can be seen: a clip counts as unclassified if any of its are not."""
    decided = (clip for clip in known.clips.values() if _force(known, clip) not in (None, "unclassified"))
    return {incident for clip in decided for incident in known.incidents_of(clip)}


def _is_in(known: Known, group: Group, person_id: str) -> bool:
    """Whether somebody wore a camera in the incident, or something about one of its clips is owed by them."""
    clips = group.clips if group.incident_id is None else tuple(known.of_incident(group.incident_id))
    standings = [known.standings[clip.clip_id] for clip in clips if clip.clip_id in known.standings]
    owing = {need.officer_id for standing in standings for need in standing.needs}
    return person_id in {clip.officer_id for clip in clips} | owing


def _force(known: Known, clip: KnownClip) -> str | None:
    standing = known.standings.get(clip.clip_id)
    return standing.force if standing is not None else None
