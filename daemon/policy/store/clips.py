"""Clips as their docks last announced them, their incidents, and how far each dock's notices are stored."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import bindparam, delete, false, func, or_, select, tuple_, union

from daemon.policy.store import tables
from daemon.policy.store.attestations import Attestations
from daemon.policy.store.rows import AnnouncedClipRow
from daemon.policy.store.sql import insert_if_absent, row_values, upsert

_C, _I, _D, _N, _X = tables.clip.c, tables.clip_incident.c, tables.dock.c, tables.named_clip.c, tables.refused_clip.c
_A = tables.attestation.c
_CLIPS = select(tables.clip)
_OF = _C.clip_id == bindparam("of")
_FIRST = _CLIPS.where(_OF).order_by(_C.disposed, _C.dock_id).limit(1)
_ON_DOCK = _CLIPS.where(_OF, _C.dock_id == bindparam("dock"))
_PUT = upsert(tables.clip)
_RECORDED_BEFORE = _CLIPS.where(_C.disposed == false(), _C.recorded_at <= bindparam("at")).order_by(
    _C.recorded_at, _C.clip_id
)
_RECORDED_IN = (
    _CLIPS.where(
        _C.disposed == false(),
        _C.recorded_at >= bindparam("since"),
        _C.recorded_at < bindparam("until"),
        tuple_(_C.recorded_at, _C.dock_id, _C.clip_id)
        > tuple_(bindparam("after_at"), bindparam("after_dock"), bindparam("after_clip")),
    )
    .order_by(_C.recorded_at, _C.dock_id, _C.clip_id)
    .limit(bindparam("most"))
)
_WORN_BY = or_(
    _C.officer_id == bindparam("by"),
    _C.clip_id.in_(select(_A.clip_id).where(_A.kind == "correction", _A.officer_id == bindparam("by"))),
)
_RECORDED_IN_BY = _RECORDED_IN.where(_WORN_BY)
_DOCKS = select(_D.dock_id, _D.through).order_by(_D.dock_id)
_ADD_INCIDENT = insert_if_absent(tables.clip_incident)
_INCIDENTS = select(_I.incident_id).where(_I.clip_id == bindparam("of")).order_by(_I.incident_id)
_OF_INCIDENT = union(
    select(_I.clip_id).where(_I.incident_id == bindparam("of")),
    select(_N.clip_id).where(_N.incident_id == bindparam("of")),
)
_WEARERS = (
    select(_C.officer_id)
    .join(tables.clip_incident, _I.clip_id == _C.clip_id)
    .where(_I.incident_id == bindparam("of"))
    .distinct()
)
_ATTACHED = (
    select(_C.clip_id, _C.officer_id)
    .join(tables.named_clip, _N.clip_id == _C.clip_id)
    .where(_N.incident_id == bindparam("of"))
)
_COPIES = _CLIPS.where(_OF).order_by(_C.dock_id)
_PUT_REFUSED = upsert(tables.refused_clip)
_REMOVE = delete(tables.clip).where(_OF, _C.dock_id == bindparam("dock"))
_IS_REFUSED = select(_X.sequence).where(_X.dock_id == bindparam("dock"), _X.clip_id == bindparam("of"))
_THROUGH = select(_D.through).where(_D.dock_id == bindparam("dock"))
_PUT_THROUGH = upsert(tables.dock)
_NEXT = tuple(
    select(func.max(table.sequence)).where(
        table.dock_id == bindparam("dock"),
        table.sequence > bindparam("through"),
        table.previous <= bindparam("through"),
    )
    for table in (_C, _X)
)


class AnnouncedClips(Attestations):
    """The clips that docks have announced. One recording may lie at several docks: these are copies of one clip."""

    def clip(self, clip_id: str, dock_id: str | None = None) -> AnnouncedClipRow | None:
        """The clip as that dock announced it, or None. Without `dock_id`, the first dock that holds it."""
        row = self.one(_FIRST, of=clip_id) if dock_id is None else self.one(_ON_DOCK, of=clip_id, dock=dock_id)
        return AnnouncedClipRow(*row) if row else None

    def put_clip(self, clip: AnnouncedClipRow) -> None:
        """Stores a clip, in the place of what the same dock announced of it before."""
        self.forget_remembered()
        self.run(_PUT, **row_values(clip))

    def clips_recorded_before(self, at: str) -> list[AnnouncedClipRow]:
        """Clips that were recorded up to `at` and are not disposed of, oldest first."""
        return [AnnouncedClipRow(*row) for row in self.run(_RECORDED_BEFORE, at=at)]

    def clips_recorded_in(
        self, since: str, until: str, after: tuple[str, str, str], most: int, worn_by: str | None = None
    ) -> list[AnnouncedClipRow]:
        """At most `most` clips that began in [since, until) and are not disposed of, oldest first.

        `after`: the start, dock and id of the clip that they follow; three empty texts for the first ones. `worn_by`:
        those alone that this officer wore by their capture, or may have by a correction.
        """
        first = dict(zip(("after_at", "after_dock", "after_clip"), after, strict=True))
        if worn_by is None:
            rows = self.run(_RECORDED_IN, since=since, until=until, most=most, **first)
        else:
            rows = self.run(_RECORDED_IN_BY, since=since, until=until, most=most, by=worn_by, **first)
        return [AnnouncedClipRow(*row) for row in rows]

    def add_incident(self, clip_id: str, incident_id: str) -> None:
        """Notes that a dock tagged a clip with an incident. This is never taken back."""
        self.forget_remembered()
        self.run(_ADD_INCIDENT, clip_id=clip_id, incident_id=incident_id)

    def incidents(self, clip_id: str) -> list[str]:
        """The incidents that docks tagged a clip with, by id."""
        return [row[0] for row in self.run(_INCIDENTS, of=clip_id)]

    def incidents_ever(self, clip_id: str) -> set[str]:
        """The incidents that a clip was tagged with, or that a classification ever attached it to."""
        return {*self.incidents(clip_id), *self.incidents_named(clip_id)}

    def clips_of_incident(self, incident_id: str) -> list[str]:
        """The clips that were tagged with an incident, or that a classification ever attached to it, by id."""
        return sorted(row[0] for row in self.run(_OF_INCIDENT, of=incident_id))

    def clips_beside(self, clip_ids: Iterable[str]) -> set[str]:
        """Every clip of every incident that any of these clips was tagged with, or was ever attached to."""
        incidents = {incident_id for clip_id in clip_ids for incident_id in self.incidents_ever(clip_id)}
        return {clip_id for incident_id in incidents for clip_id in self.clips_of_incident(incident_id)}

    def captured_by(self, incident_id: str) -> frozenset[str]:
        """The officers that the captures of the clips name which docks tagged with an incident."""
        return frozenset(row[0] for row in self.run(_WEARERS, of=incident_id))

    def attached_to(self, incident_id: str) -> dict[str, str]:
        """The officer that the capture names, of each clip that a classification ever attached to an incident."""
        return {row[0]: row[1] for row in self.run(_ATTACHED, of=incident_id)}

    def copies(self, clip_id: str) -> list[AnnouncedClipRow]:
        """The clip as each dock announced it, by dock."""
        return [AnnouncedClipRow(*row) for row in self.run(_COPIES, of=clip_id)]

    def refuse_clip(self, dock_id: str, clip_id: str, sequence: int, previous: int) -> None:
        """Notes a notice that is acknowledged and counts for nothing."""
        self.run(_PUT_REFUSED, dock_id=dock_id, clip_id=clip_id, sequence=sequence, previous=previous)

    def demote(self, clip: AnnouncedClipRow) -> None:
        """Counts a clip as refused that was taken in before: another dock has the footage that the id belongs to."""
        self.forget_remembered()
        self.refuse_clip(clip.dock_id, clip.clip_id, clip.sequence, clip.previous)
        self.run(_REMOVE, of=clip.clip_id, dock=clip.dock_id)

    def is_refused(self, dock_id: str, clip_id: str) -> bool:
        """Whether this dock's clip of this id was refused: another dock has other footage under it."""
        return self.one(_IS_REFUSED, dock=dock_id, of=clip_id) is not None

    def through(self, dock_id: str) -> int:
        """The dock's `through`: every notice up to this sequence is stored. 0 for a dock that announced nothing."""
        row = self.one(_THROUGH, dock=dock_id)
        return int(row[0]) if row else 0

    def docks(self) -> dict[str, int]:
        """Every dock that has announced anything, with its `through`."""
        return {row[0]: int(row[1]) for row in self.run(_DOCKS)}

    def advance_through(self, dock_id: str) -> int:
        """Moves the dock's `through` forward over every stored notice that follows without a gap. Returns it."""
        through = self.through(dock_id)
        while found := [n for query in _NEXT if (n := self.one(query, dock=dock_id, through=through)[0]) is not None]:
            through = int(max(found))
        self.run(_PUT_THROUGH, dock_id=dock_id, through=through)
        return through
