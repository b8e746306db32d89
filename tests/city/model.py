"""What must have happened, and whether it did: the plan and the cameras' account against vaults, broker, policy store.

Nothing here asks a dock what it thinks: files are hashed again, statements are read as they lie in the vault.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, LiteralString

import psycopg

from daemon.model import statements as st
from daemon.model.errors import BwcError
from daemon.model.times import parse_instant
from daemon.seal import envelope as envelopes
from daemon.vault.layout import ClipDirectory, VaultLayout
from daemon.vault.replica.keys import sealed_key
from daemon.vault.replica.objects import Objects, open_objects
from tests.city.agency import City

_MOMENT = timedelta(seconds=30)
"""A camera's clock is measured when its dock first looks at it. With twelve docks on one machine, one of them down,
that takes seconds: a shorter overlap may be seen or not."""


@dataclass(frozen=True)
class Recorded:
    """One clip as its camera recorded it, on the dock where the camera docked."""

    clip_id: str
    dock: str
    officer: str
    sha256: str
    calls: frozenset[str]
    """The dispatch calls that its officer was on while it was recorded."""
    perhaps: frozenset[str]
    """Those, and calls that it only just touched or missed."""


@dataclass
class Comparison:
    """Clips by what became of them, and every difference in words."""

    clips: int = 0
    sealed: int = 0
    tagged: int = 0
    announced: int = 0
    acknowledged: int = 0
    replicated: int = 0
    released: int = 0
    honoured: int = 0
    differences: list[str] = field(default_factory=list)


def recorded(plan: dict[str, Any], played: dict[str, dict[str, Any]]) -> list[Recorded]:
    """The plan's clips with what the cameras say of each; `played` are the simulator's documents, by dock.

    Raises AssertionError when a camera of the plan never docked.
    """
    calls = Calls(plan)
    planned = {clip["clip_id"]: clip for camera in plan["cameras"] for clip in camera["clips"]}
    found = []
    for dock, document in played.items():
        for camera in document["cameras"]:
            for clip in camera["clips"]:
                spoken = planned.pop(clip["clip_id"])
                on = calls.during(camera["officer_id"], spoken, _MOMENT, named=True)
                perhaps = calls.during(camera["officer_id"], spoken, -_MOMENT, named=False)
                found.append(Recorded(clip["clip_id"], dock, camera["officer_id"], clip["sha256"], on, perhaps))
    assert not planned, f"{len(planned)} clips of the plan were never docked: {sorted(planned)[:3]}"
    return found


class Calls:
    """Who was on which call when, in true time. Calls that dispatch merged count as one."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._one: dict[str, str] = {}
        for incident in plan["incidents"]:
            for merge in incident["merge"]:
                if merge["direction"] != "SPLIT":
                    pair = sorted((self.one(incident["incident_id"]), self.one(merge["incident_id"])))
                    if pair[0] != pair[1]:
                        self._one[pair[1]] = pair[0]
        self._spans: dict[str, list[tuple[datetime, datetime, str, bool]]] = {}
        for incident in plan["incidents"]:
            for unit in incident["units"]:
                named, relieved = not unit.get("crew_unknown"), dict(unit.get("relieved", ()))
                for start, end in _spans(unit["statuses"]):
                    for officer in unit["officers"]:
                        until = min(end, parse_instant(relieved[officer])) if officer in relieved else end
                        self._spans.setdefault(officer, []).append((start, until, incident["incident_id"], named))

    def one(self, incident: str) -> str:
        """The name under which an incident and those merged with it count."""
        while incident in self._one:
            incident = self._one[incident]
        return incident

    def during(self, officer: str, clip: dict[str, Any], least: timedelta, *, named: bool) -> frozenset[str]:
        """Calls that overlap the recording by more than `least`; `named`: only those whose crew dispatch named."""
        started, stopped = parse_instant(clip["started_at"]), parse_instant(clip["stopped_at"])
        spans = self._spans.get(officer, [])
        return frozenset(
            self.one(name)
            for start, end, name, known in spans
            if min(end, stopped) - max(start, started) > least and (known or not named)
        )


def _spans(statuses: list[list[str]]) -> Iterator[tuple[datetime, datetime]]:
    """From each dispatch until the call was cleared or cancelled; an open call lasts."""
    since: datetime | None = None
    for status, text in statuses:
        at = parse_instant(text)
        if status in {"Cleared", "AssignmentCancelled"} and since is not None:
            yield since, at
            since = None
        elif since is None and status not in {"Cleared", "AssignmentCancelled"}:
            since = at
    if since is not None:
        yield since, since + timedelta(days=365)


def compare(
    city: City, plan: dict[str, Any], clips: Iterable[Recorded], notices: dict[str, dict[str, Any]]
) -> Comparison:
    """Every clip through every place."""
    calls = Calls(plan)
    found = Comparison()
    stored = _policy_store(city)
    layouts = {dock: VaultLayout(city.vault(dock)) for dock in city.docks}
    replicas = {
        dock: open_objects(f"{city.replica}/{dock}", city.store_settings, city.store_authority) for dock in city.docks
    }
    known: dict[str, set[str]] = {dock: set() for dock in city.docks}
    sealed: list[tuple[Objects, st.Seal]] = []
    for clip in clips:
        found.clips += 1
        known[clip.dock].add(clip.clip_id)
        directory = layouts[clip.dock].find(clip.clip_id)
        if directory is None:
            found.differences.append(f"{clip.dock} does not hold {clip.clip_id}")
            continue
        seal = _seal(directory, clip, found)
        _tag(directory, clip, calls, found)
        sealed.append((replicas[clip.dock], seal))
        notice = notices.get(clip.clip_id)
        if notice is None or (notice["dock_id"], notice["sealed_sha256"]) != (clip.dock, seal.sealed_sha256):
            found.differences.append(f"{clip.clip_id}: not announced as it lies in the vault")
        else:
            found.announced += 1
        if stored.get((clip.dock, clip.clip_id)) != seal.clip_sha256:
            found.differences.append(f"{clip.clip_id}: the policy store has {stored.get((clip.dock, clip.clip_id))}")
        else:
            found.acknowledged += 1
    with ThreadPoolExecutor(16) as pool:
        problems = [problem for problem in pool.map(lambda one: _replica(*one), sealed) if problem is not None]
    found.replicated = len(sealed) - len(problems)
    found.differences += problems
    for dock, names in known.items():
        held = {path.name for path in (city.vault(dock) / "clips").iterdir()}
        found.differences += [f"{dock} holds {name}, which nobody recorded" for name in sorted(held - names)]
        left = list((city.vault(dock) / "incoming").iterdir())
        found.differences += [f"{dock}: left behind in staging: {path.name}" for path in left]
    return found


def _seal(directory: ClipDirectory, clip: Recorded, found: Comparison) -> st.Seal:
    seal = envelopes.parse(directory.seal.read_bytes(), what=str(directory.seal)).statement(st.Seal)
    with directory.sealed.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if (seal.clip_sha256, seal.sealed_sha256, seal.integrity) != (clip.sha256, digest, "verified"):
        found.differences.append(f"{clip.clip_id}: not what its camera recorded, or not as it was sealed")
    else:
        found.sealed += 1
    return seal


def _replica(objects: Objects, seal: st.Seal) -> str | None:
    """What is wrong with the clip in the object store; it is read whole."""
    try:
        objects.check(sealed_key(seal.clip_id, seal.sealed_sha256), seal.sealed_bytes)
    except BwcError as error:
        return f"{seal.clip_id}: {error}"
    return None


def _tag(directory: ClipDirectory, clip: Recorded, calls: Calls, found: Comparison) -> None:
    newest = max(directory.tag(1).parent.iterdir(), key=lambda path: int(path.stem))
    tag = envelopes.parse(newest.read_bytes(), what=str(newest)).statement(st.Tag)
    named = {calls.one(assignment.incident_id) for assignment in tag.activation.assignments}
    if not clip.calls <= named <= clip.perhaps:
        found.differences.append(
            f"{clip.clip_id}: recorded on {sorted(clip.calls) or 'no call'}, tagged with {sorted(named) or 'none'}"
        )
    else:
        found.tagged += 1


def released(city: City) -> set[str]:
    """Clips with a live order in the policy service's store."""
    return {clip for (clip,) in _rows(city, "SELECT clip_id FROM release_order WHERE state = 'live'")}


def _policy_store(city: City) -> dict[tuple[str, str], str]:
    return {
        (dock, clip): digest for dock, clip, digest in _rows(city, "SELECT dock_id, clip_id, clip_sha256 FROM clip")
    }


def _rows(city: City, query: LiteralString) -> list[tuple[str, ...]]:
    with psycopg.connect(city.database) as db:
        return db.execute(query).fetchall()
