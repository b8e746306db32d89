"""What a report says: compliance, and what was made of the documents on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from daemon.core.dispatch.compliance import Compliance
from daemon.core.dispatch.merges import Joined
from daemon.core.dispatch.unclear import UnknownCrew


@dataclass(frozen=True)
class SetAside:
    """A file, or the source of a document, that could not be used, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Findings:
    """`merges` are those of the incidents in the report. `unknown`: calls of unknown crew, and `perhaps` for each clip
    those of them that may have been its officer's.
    """

    compliance: Compliance
    merges: Sequence[Joined] = ()
    set_aside: Sequence[SetAside] = ()
    unknown: Sequence[UnknownCrew] = ()
    perhaps: Mapping[str, Sequence[UnknownCrew]] = field(default_factory=dict)


def concerning(compliance: Compliance, unknown: Sequence[UnknownCrew], merges: Sequence[Joined]) -> list[Joined]:
    """The merges in which an incident of the report has a part, or one merged with it."""
    known, found = {*compliance.incidents, *(call.incident_id for call in unknown)}, 0
    while len(known) > found:
        found = len(known)
        known |= {name for one in merges if {one.old, one.new} & known for name in (one.old, one.new)}
    return [one for one in merges if one.old in known]
