"""AnnouncedClips as their docks last announced them, the incidents they belong to, and how far each dock was heard."""

from __future__ import annotations

from sqlalchemy import bindparam, false, func, select

from daemon.policy.store import tables
from daemon.policy.store.rows import AnnouncedClipRow
from daemon.policy.store.sql import Statements, add, put, row_values

_C, _I, _D = tables.clip.c, tables.clip_incident.c, tables.dock.c
_CLIPS = select(tables.clip)
_OF = _C.clip_id == bindparam("of")
_FIRST = _CLIPS.where(_OF).order_by(_C.dock_id).limit(1)
_ON_DOCK = _CLIPS.where(_OF, _C.dock_id == bindparam("dock"))
_PUT = put(tables.clip)
_RECORDED_BEFORE = _CLIPS.where(_C.disposed == false(), _C.recorded_at <= bindparam("at")).order_by(
    _C.recorded_at, _C.clip_id
)
_ADD_INCIDENT = add(tables.clip_incident)
_INCIDENTS = select(_I.incident_id).where(_I.clip_id == bindparam("of")).order_by(_I.incident_id)
_OF_INCIDENT = select(_I.clip_id).where(_I.incident_id == bindparam("of")).order_by(_I.clip_id)
_THROUGH = select(_D.through).where(_D.dock_id == bindparam("dock"))
_PUT_THROUGH = put(tables.dock)
_NEXT = select(func.max(_C.sequence)).where(
    _C.dock_id == bindparam("dock"), _C.sequence > bindparam("through"), _C.previous <= bindparam("through")
)


class AnnouncedClips(Statements):
    """What docks announced."""

    def clip(self, clip_id: str, dock_id: str | None = None) -> AnnouncedClipRow | None:
        """The clip on that dock; without one, on the first dock that announced it."""
        row = self.one(_FIRST, of=clip_id) if dock_id is None else self.one(_ON_DOCK, of=clip_id, dock=dock_id)
        return AnnouncedClipRow(*row) if row else None

    def put_clip(self, clip: AnnouncedClipRow) -> None:
        self.run(_PUT, **row_values(clip))

    def recorded_before(self, at: str) -> list[AnnouncedClipRow]:
        """AnnouncedClips recorded up to then and not disposed of."""
        return [AnnouncedClipRow(*row) for row in self.run(_RECORDED_BEFORE, at=at)]

    def add_incident(self, clip_id: str, incident_id: str) -> None:
        """An incident once tagged keeps counting."""
        self.run(_ADD_INCIDENT, clip_id=clip_id, incident_id=incident_id)

    def incidents(self, clip_id: str) -> list[str]:
        return [row[0] for row in self.run(_INCIDENTS, of=clip_id)]

    def clips_of_incident(self, incident_id: str) -> list[str]:
        return [row[0] for row in self.run(_OF_INCIDENT, of=incident_id)]

    def through(self, dock_id: str) -> int:
        row = self.one(_THROUGH, dock=dock_id)
        return int(row[0]) if row else 0

    def advance(self, dock_id: str) -> int:
        """Moves `through` over every notice that follows without a gap; returns it."""
        through = self.through(dock_id)
        while (row := self.one(_NEXT, dock=dock_id, through=through))[0] is not None:
            through = int(row[0])
        self.run(_PUT_THROUGH, dock_id=dock_id, through=through)
        return through
