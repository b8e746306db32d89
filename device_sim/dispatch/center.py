"""The dispatch center: invents the incidents of a shift from a seed, and the documents about them.

Pure: no clock, no files. The same arguments give the same incidents and the same documents, byte for byte.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from device_sim import times
from device_sim.dispatch import eido
from device_sim.dispatch.incidents import Incident, Merge, UnitCall

_KINDS = (
    ("Disturbance", 3, 20), ("Welfare Check", 3, 18), ("Traffic Stop", 4, 16), ("Theft", 4, 12),
    ("Burglary", 2, 8), ("Assault", 2, 7), ("Suspicious Person", 3, 9), ("Traffic Accident", 2, 6),
    ("Domestic Disturbance", 2, 5), ("Robbery", 1, 2), ("Shots Fired", 1, 1),
)  # fmt: skip


@dataclass(frozen=True)
class Delivery:
    """One document that is sent at `at`. `number` counts an incident's documents in order of arrival, from 1."""

    incident_id: str
    number: int
    at: datetime
    document: dict[str, Any]


@dataclass
class _Unit:
    unit_id: str
    crew: tuple[str, ...]
    second_joins: datetime
    free_at: datetime

    def crew_at(self, at: datetime) -> tuple[str, ...]:
        return self.crew if at >= self.second_joins else self.crew[:1]


def shift(count: int, seed: int, day: date, officers: int | None = None, hours: float = 10) -> list[Incident]:
    """`count` incidents in the `hours` from 16:00 local time on `day`.

    Among them: crews of one and two, an officer who joins a unit later, calls over midnight, calls that are never
    cleared, are cancelled (some at once), dispatched again, merged and split, officers who are relieved, and crews whom
    dispatch never names.
    """
    dice = random.Random(f"shift|{seed}|{count}|{day}|{officers}|{hours}")
    begin = times.local_midnight(datetime(day.year, day.month, day.day, tzinfo=UTC)) + timedelta(hours=16)
    units = _log_on(dice, begin, officers if officers is not None else max(2, round(count * 0.3)))
    opened = sorted(begin + timedelta(milliseconds=dice.randrange(int(hours * 3_600_000))) for _ in range(count))
    calls = [_call(dice, f"PP{day:%y%m%d}-{number:05}", at, units) for number, at in enumerate(opened, 1)]
    return _merged(dice, calls)


def officer_ids(count: int) -> list[str]:
    """The ids of a shift's officers."""
    return [str(51000 + number) for number in range(1, count + 1)]


def _log_on(dice: random.Random, begin: datetime, officers: int) -> list[_Unit]:
    waiting = officer_ids(max(1, officers))
    units: list[_Unit] = []
    while waiting:
        pair = len(waiting) > 1 and dice.random() < 0.4
        crew = tuple(waiting.pop(0) for _ in range(2 if pair else 1))
        joins = begin + timedelta(minutes=dice.randrange(20, 90)) if pair and dice.random() < 0.3 else begin
        units.append(_Unit(str(701 + len(units)), crew, joins, begin))
    return units


def _call(dice: random.Random, incident_id: str, at: datetime, units: list[_Unit]) -> Incident:
    kind, priority, _ = dice.choices(_KINDS, weights=[weight for *_, weight in _KINDS])[0]
    wanted = min(len(units), 1 if priority > 2 else dice.randrange(1, 4))
    calls = tuple(_assign(dice, at, unit) for unit in _pick(dice, at, wanted, units))
    return Incident(incident_id, kind, priority, calls, opened_at=at if dice.random() < 0.1 else None)


def _pick(dice: random.Random, at: datetime, wanted: int, units: list[_Unit]) -> list[_Unit]:
    """Free units, or those that are free soonest. Sometimes a unit that is still on another call."""
    busy = [unit for unit in units if unit.free_at > at]
    free = [unit for unit in units if unit.free_at <= at]
    if busy and dice.random() < 0.06:
        return dice.sample(busy, 1)
    if len(free) < wanted:
        free = sorted(units, key=lambda unit: unit.free_at)[: wanted + 1]
    return dice.sample(free, wanted)


def _assign(dice: random.Random, at: datetime, unit: _Unit) -> UnitCall:
    def later(after: datetime, least: float, most: float) -> datetime:
        return after + timedelta(milliseconds=dice.randrange(int(least * 1000), int(most * 1000)))

    # a busy unit is either dispatched once it is free, or (two calls at once) while still on the other one
    begin = at if unit.free_at <= at or dice.random() < 0.5 else unit.free_at
    dispatched = later(begin, 5, 120)
    en_route = later(dispatched, 5, 60)
    on_scene = later(en_route, 60, 900)
    cleared = later(on_scene, 240, 4500)
    fate = dice.random()
    statuses = [("Dispatched", dispatched), ("EnRoute", en_route), ("OnScene", on_scene), ("Cleared", cleared)]
    if fate < 0.05:
        cleared = later(en_route, 30, 300)
        statuses = [*statuses[:2], ("AssignmentCancelled", cleared)]
    elif fate < 0.09:
        statuses = statuses[:3]
    elif fate < 0.12:
        again = later(cleared, 600, 1800)
        cleared = later(again, 600, 1800)
        statuses += [("Dispatched", again), ("OnScene", later(again, 60, 300)), ("Cleared", cleared)]
    elif fate < 0.14:
        statuses = statuses[1:]
    unit.free_at = max(unit.free_at, cleared)
    known = later(statuses[0][1], 10, 60) if dice.random() < 0.04 else None
    call = UnitCall(unit.unit_id, unit.crew_at(dispatched), tuple(statuses), known)
    return _unusual(random.Random(f"unusual|{unit.unit_id}|{dispatched}"), call)


def _unusual(dice: random.Random, call: UnitCall) -> UnitCall:
    """Some calls are cancelled at once, one of a crew is relieved, or dispatch never says who was on the unit."""
    chance, dispatched = dice.random(), call.statuses[0][1]
    if call.crew_known_from is not None or len(call.statuses) < 3:
        return call
    if chance < 0.02:
        cancelled = dispatched + timedelta(seconds=dice.randrange(15, 55))
        return replace(call, statuses=(("Dispatched", dispatched), ("AssignmentCancelled", cancelled)))
    if chance < 0.04:
        return replace(call, crew_unknown=True)
    if chance < 0.16 and len(call.officers) == 2:
        return replace(call, relieved=((call.officers[1], call.statuses[2][1]),))
    return call


def _merged(dice: random.Random, calls: list[Incident]) -> list[Incident]:
    """Merges about one call in twenty into the call before it, and splits about one in fifty from it."""
    for number in range(1, len(calls)):
        older, newer = calls[number - 1], calls[number]
        at = newer.instants()[min(1, len(newer.instants()) - 1)]
        chance = dice.random()
        if chance < 0.05 and not older.merges:
            calls[number - 1] = replace(older, merges=(Merge("REPLACED", newer.incident_id, at),))
            calls[number] = replace(newer, merges=(Merge("REPLACING", older.incident_id, at),))
        elif chance < 0.07 and not older.merges:
            calls[number] = replace(newer, merges=(Merge("SPLIT", older.incident_id),))
    return calls


def deliveries(incidents: Iterable[Incident], seed: int, agency: str) -> list[Delivery]:
    """A document for every change of an incident, in order of arrival: most within seconds, some late, some twice, some
    wrapped in a notification.
    """
    dice = random.Random(f"deliveries|{seed}|{agency}")
    wraps = random.Random(f"notifications|{seed}|{agency}")
    sent: list[tuple[datetime, str, dict[str, Any]]] = []
    for incident in incidents:
        moments = incident.instants()
        for moment in moments:
            clock = times.local_text if dice.random() < 0.5 else times.utc_text
            whole = moment == moments[-1] and dice.random() < 0.3
            document = eido.document(incident, moment, agency, clock, history=whole)
            if wraps.random() < 0.05:
                document = eido.notification(document, wraps)
            late = dice.uniform(600, 5400) if dice.random() < 0.06 else dice.uniform(0.2, 2)
            sent.append((moment + timedelta(seconds=late), incident.incident_id, document))
            if dice.random() < 0.05:
                sent.append((moment + timedelta(seconds=late + dice.uniform(1, 600)), incident.incident_id, document))
    return _numbered(sorted(sent, key=lambda item: item[:2]))


def explicit(incidents: Iterable[Incident], agency: str, *, steps: bool) -> list[Delivery]:
    """Each incident as one document with its whole history, or with `steps` as one for each change; none is late."""
    sent: list[tuple[datetime, str, dict[str, Any]]] = []
    for incident in incidents:
        moments = incident.instants() or [datetime(1970, 1, 1, tzinfo=UTC)]
        for number, moment in enumerate(moments if steps else moments[-1:]):
            clock = times.utc_text if number % 2 else times.local_text
            sent.append(
                (moment, incident.incident_id, eido.document(incident, moment, agency, clock, history=not steps))
            )
    return _numbered(sorted(sent, key=lambda item: item[0]) if steps else sent)


def _numbered(sent: list[tuple[datetime, str, dict[str, Any]]]) -> list[Delivery]:
    counts: Counter[str] = Counter()
    found = []
    for at, incident_id, document in sent:
        counts[incident_id] += 1
        found.append(Delivery(incident_id, counts[incident_id], at, document))
    return found
