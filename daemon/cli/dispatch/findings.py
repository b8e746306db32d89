"""What a report says: compliance, and what was made of the documents on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from daemon.core.dispatch.compliance import Compliance
from daemon.core.dispatch.merges import Joined


@dataclass(frozen=True)
class SetAside:
    """A file, or the source of a document, that could not be used, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Findings:
    """`merges` are those of the incidents in the report."""

    compliance: Compliance
    merges: Sequence[Joined]
    set_aside: Sequence[SetAside]


def concerning(compliance: Compliance, merges: Sequence[Joined]) -> list[Joined]:
    """The merges in which an incident of the report has a part, or one merged with it."""
    known, found = set(compliance.incidents), 0
    while len(known) > found:
        found = len(known)
        known |= {name for one in merges if {one.old, one.new} & known for name in (one.old, one.new)}
    return [one for one in merges if one.old in known]
