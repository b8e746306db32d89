"""A clip's activation as it stands in its signed tag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from daemon.core.dispatch.activation import GRACE_SECONDS, Assignment, Clip, ClipActivation, ClipVerdict, Part, match
from daemon.model.statements import TaggedAssignment

MAX_TAGGED = 100
"""The most assignments in one tag; of more, those the clip covers longest."""

Tagging = tuple[ClipVerdict, tuple[TaggedAssignment, ...]]


def tag_clips(
    clips: Iterable[Clip],
    assignments: Iterable[Assignment],
    docked_until: Mapping[str, datetime],
    grace_seconds: float = GRACE_SECONDS,
) -> dict[str, Tagging]:
    """Each clip's verdict and tagged assignments, by time of dispatch: equal situations give equal values.

    As verdicts are over all of an officer's clips, these must all be there, at least those that overlap an assignment
    which any of the clips asked for overlaps.
    """
    matching = match(clips, assignments, docked_until, grace_seconds)
    return {clip_id: tagging(activation) for clip_id, activation in sorted(matching.clips.items())}


def tagging(activation: ClipActivation) -> Tagging:
    """One clip's verdict and tagged assignments."""
    parts = activation.parts
    if len(parts) > MAX_TAGGED:
        longest = sorted(range(len(parts)), key=lambda number: (-parts[number].covered_seconds, number))
        parts = tuple(parts[number] for number in sorted(longest[:MAX_TAGGED]))
    return activation.verdict, tuple(_tagged(part) for part in parts)


def _tagged(part: Part) -> TaggedAssignment:
    assignment = part.judged.assignment
    return TaggedAssignment(
        incident_id=assignment.incident_id,
        incident_type=assignment.incident_type,
        unit_id=assignment.unit_id,
        dispatched_at=assignment.dispatched_at,
        cleared_at=assignment.cleared_at,
        verdict=part.judged.verdict,
        triggered_after_seconds=part.judged.triggered_after_seconds,
        covered_seconds=part.covered_seconds,
        uncovered_seconds=part.uncovered_seconds,
        matched_by=assignment.matched_by,
    )
