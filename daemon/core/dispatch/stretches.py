"""From when to when each officer was on a call: one unit's history on one incident, folded.

- A stretch runs from the first `Dispatched` (failing that, the earliest status) to the first `Cleared` or
  `AssignmentCancelled`; only another `Dispatched` begins a new one. Statuses of one instant: the clearing comes last.
- A unit's status is that of the officers its component names. A clearing that does not name an officer ends their
  part as well, unless they are seen on the call after it.
- A component that names nobody means those whom the next component of the same call names, or else the previous one.
  If the call never names anybody, it means the one officer with a camera who is known from other incidents to be on
  that unit at the time (`matched_by` "unit"); with two of them, or none, nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from daemon.core.dispatch.crews import Crews
from daemon.core.dispatch.eido import Status

CLEARING = frozenset({"Cleared", "AssignmentCancelled"})
_MatchedBy = Literal["officer", "unit"]


@dataclass(frozen=True, slots=True)
class _Seen:
    """One status as it concerns one officer."""

    at: datetime
    status: str
    matched_by: _MatchedBy
    named: bool
    """False: a clearing of the unit that names only others, or nobody."""


Stretch = tuple[datetime, datetime | None, _MatchedBy]


def stretches(timeline: Sequence[Status], crews: Crews) -> Iterator[tuple[str, Stretch]]:
    """Each officer's assignments in a unit's history on one incident."""
    concerned = _concerned(timeline, crews)
    for officer in sorted({officer for _, crew in concerned for officer in crew}):
        seen = [
            _Seen(status.at, status.status, matched_by, named=officer in crew)
            for status, (matched_by, crew) in zip(timeline, concerned, strict=True)
            if officer in crew or status.status in CLEARING
        ]
        for stretch in _folded(_heeded(seen)):
            yield officer, stretch


def _concerned(timeline: Sequence[Status], crews: Crews) -> list[tuple[_MatchedBy, Collection[str]]]:
    """For each status the officers whom it concerns, and how they were found."""
    following: list[tuple[str, ...]] = []
    named: tuple[str, ...] = ()
    for status in reversed(timeline):
        named = status.officer_ids if status.officer_ids or status.status in CLEARING else named
        following.append(named)
    found: list[tuple[_MatchedBy, Collection[str]]] = []
    previous: tuple[str, ...] = ()
    alone: str | None = None
    in_doubt = True
    for status, named in zip(timeline, reversed(following), strict=True):
        if status.status in CLEARING:
            previous, in_doubt = (), True
            found.append(("officer", status.officer_ids))
        elif named or previous:
            previous = status.officer_ids or previous
            found.append(("officer", named or previous))
        else:
            if in_doubt:  # asked once for a call: a change of shift in the middle of it changes nothing
                alone, in_doubt = crews.alone_on(status.unit_id, status.at), False
            found.append(("unit", () if alone is None else (alone,)))
    return found


def _heeded(seen: Sequence[_Seen]) -> list[_Seen]:
    """Without the clearings of others after which this officer is still seen on the call."""
    heeded: list[_Seen] = []
    next_own: _Seen | None = None
    for status in reversed(seen):
        if status.named:
            next_own = status
        elif next_own is not None and next_own.status != "Dispatched":
            continue
        heeded.append(status)
    return heeded[::-1]


def _folded(seen: Iterable[_Seen]) -> Iterator[Stretch]:
    begun: _Seen | None = None
    ended = False
    for status in seen:
        if status.status in CLEARING:
            if begun is not None:
                yield begun.at, status.at, begun.matched_by
                begun, ended = None, True
        elif status.status == "Dispatched":
            if begun is None or begun.status != "Dispatched":
                begun = status
        elif begun is None and not ended:
            begun = status
    if begun is not None:
        yield begun.at, None, begun.matched_by
