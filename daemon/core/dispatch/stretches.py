"""From when to when each officer was on a call: one unit's history on one incident, folded.

- A stretch runs from the first `Dispatched` (failing that, the earliest status) to the first `Cleared` or
  `AssignmentCancelled`; only another `Dispatched` begins a new one. Statuses of one instant: the clearing comes last.
- A unit's status is that of the officers its component names. A clearing that does not name an officer ends their
  part as well, unless they are seen on the call after it.
- An officer whom the unit's later components do not name, while they name others, was relieved: their part ends with
  the first of these. What was said of one instant is taken together.
- `OffDuty` and `InService` assign nobody.
- A component that names nobody means those whom the next component of the same call names, or else the previous one.
  If the call never names anybody, it means the one officer with a camera who is known from other incidents to be on
  that unit at the time (`matched_by` "unit"); with two of them, or none, the call is of unknown crew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from daemon.core.dispatch.crews import Crews
from daemon.core.dispatch.eido import Status

CLEARING = frozenset({"Cleared", "AssignmentCancelled"})
NOBODY = ""
"""Stands for a crew that nobody knows."""
_RELIEVED = "relieved"
_ENDING = CLEARING | {_RELIEVED}
_UNASSIGNED = frozenset({"OffDuty", "InService"})
_MatchedBy = Literal["officer", "unit"]
_Concerned = tuple[_MatchedBy, Collection[str]]


@dataclass(frozen=True, slots=True)
class _Seen:
    """One status as it concerns one officer."""

    at: datetime
    status: str
    matched_by: _MatchedBy
    named: bool
    """False: a clearing of the unit, or another crew, that does not name the officer."""


class Stretch(NamedTuple):
    """From when to when; `end` None: still open. `cancelled`: it ended because it was."""

    begin: datetime
    end: datetime | None
    matched_by: _MatchedBy
    cancelled: bool


def stretches(timeline: Sequence[Status], crews: Crews) -> Iterator[tuple[str, Stretch]]:
    """Each officer's assignments in a unit's history on one incident; those of an unknown crew are NOBODY's."""
    concerned = _concerned(timeline, crews)
    for officer in sorted({officer for _, crew in concerned for officer in crew}):
        for stretch in _folded(_heeded(_seen(officer, timeline, concerned))):
            yield officer, stretch
    if any(status.status not in CLEARING and not crew for status, (_, crew) in zip(timeline, concerned, strict=True)):
        unknown = [
            _Seen(status.at, status.status, "unit", named=True)
            for status, (_, crew) in zip(timeline, concerned, strict=True)
            if status.status in CLEARING or not crew
        ]
        for stretch in _folded(unknown):
            yield NOBODY, stretch


def _seen(officer: str, timeline: Sequence[Status], concerned: Sequence[_Concerned]) -> list[_Seen]:
    found = []
    named_at: set[datetime] | None = None
    for status, (matched_by, crew) in zip(timeline, concerned, strict=True):
        if officer in crew:
            found.append(_Seen(status.at, status.status, matched_by, named=True))
        elif status.status in CLEARING:
            found.append(_Seen(status.at, status.status, matched_by, named=False))
        elif status.officer_ids:
            if named_at is None:
                named_at = {status.at for status in timeline if officer in status.officer_ids}
            if named_at and status.at not in named_at:
                found.append(_Seen(status.at, _RELIEVED, matched_by, named=False))
    return found


def _concerned(timeline: Sequence[Status], crews: Crews) -> list[_Concerned]:
    """For each status the officers whom it concerns, and how they were found."""
    following: list[tuple[str, ...]] = []
    named: tuple[str, ...] = ()
    for status in reversed(timeline):
        named = status.officer_ids if status.officer_ids or status.status in CLEARING else named
        following.append(named)
    found: list[_Concerned] = []
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
    """Without the clearings of others, and the crews of others, after which this officer is still seen on the call."""
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
        if status.status in _ENDING:
            if begun is not None:
                yield Stretch(begun.at, status.at, begun.matched_by, status.status == "AssignmentCancelled")
                begun, ended = None, True
        elif status.status == "Dispatched":
            if begun is None or begun.status != "Dispatched":
                begun = status
        elif begun is None and not ended and status.status not in _UNASSIGNED:
            begun = status
    if begun is not None:
        yield Stretch(begun.at, None, begun.matched_by, cancelled=False)
