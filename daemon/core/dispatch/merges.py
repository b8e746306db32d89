"""Which incidents dispatch merged, and which of the two goes on (NENA-STA-021.1 section 2.7).

A document says of another incident that it was REPLACED (that is the old one, and this one goes on), that it is
REPLACING this one, or that this one was SPLIT from it. Incidents are joined by their tracking identifiers. Where no
incident has the one that a merge names, its middle is taken for the agency's own id: some dispatch systems send no
other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Literal, NamedTuple

from daemon.core.dispatch.eido import Merge

JoinedBy = Literal["tracking", "internal"]


class Joined(NamedTuple):
    """`new` replaced `old`. `by`: what told them, the tracking identifier or the agency's own id."""

    old: str
    new: str
    by: JoinedBy


def joined(merges: Iterable[Merge], tracked: Mapping[str, Collection[str]]) -> set[Joined]:
    """Every merge with the incidents that it names. `tracked`: which incidents have a tracking identifier."""
    found: set[Joined] = set()
    for merge in merges:
        known = tracked.get(merge.other, ())
        by: JoinedBy = "tracking" if known else "internal"
        for other in known or (() if merge.internal is None else (merge.internal,)):
            if other == merge.incident_id or merge.direction == "SPLIT":
                continue
            old, new = (other, merge.incident_id) if merge.direction == "REPLACED" else (merge.incident_id, other)
            found.add(Joined(old, new, by))
    return found


def replacing(merges: Iterable[Joined]) -> dict[str, set[str]]:
    """For each incident that was replaced, those that stand for it, directly or by further merges."""
    direct: dict[str, set[str]] = defaultdict(set)
    for merge in merges:
        direct[merge.old].add(merge.new)
    found: dict[str, set[str]] = {}
    for incident_id in list(direct):
        reached: set[str] = set()
        waiting = [incident_id]
        while waiting:
            new = direct.get(waiting.pop(), set()) - reached
            reached |= new
            waiting += new
        found[incident_id] = reached - {incident_id}
    return found
