"""Clips as their docks last announced them, their incidents, and how far each dock's notices are stored."""

from __future__ import annotations

from sqlalchemy import bindparam, false, func, select

from daemon.policy.store import tables
from daemon.policy.store.rows import AnnouncedClipRow
from daemon.policy.store.sql import QueryRunner, insert_if_absent, row_values, upsert

_C, _I, _D = tables.clip.c, tables.clip_incident.c, tables.dock.c
_CLIPS = select(tables.clip)
_OF = _C.clip_id == bindparam("of")
_FIRST = _CLIPS.where(_OF).order_by(_C.dock_id).limit(1)
_ON_DOCK = _CLIPS.where(_OF, _C.dock_id == bindparam("dock"))
_PUT = upsert(tables.clip)
_RECORDED_BEFORE = _CLIPS.where(_C.disposed == false(), _C.recorded_at <= bindparam("at")).order_by(
    _C.recorded_at, _C.clip_id
)
_ADD_INCIDENT = insert_if_absent(tables.clip_incident)
_INCIDENTS = select(_I.incident_id).where(_I.clip_id == bindparam("of")).order_by(_I.incident_id)
_OF_INCIDENT = select(_I.clip_id).where(_I.incident_id == bindparam("of")).order_by(_I.clip_id)
_THROUGH = select(_D.through).where(_D.dock_id == bindparam("dock"))
_PUT_THROUGH = upsert(tables.dock)
_NEXT = select(func.max(_C.sequence)).where(
    _C.dock_id == bindparam("dock"), _C.sequence > bindparam("through"), _C.previous <= bindparam("through")
)


class AnnouncedClips(QueryRunner):
    """The clips that docks have announced."""

    def clip(self, clip_id: str, dock_id: str | None = None) -> AnnouncedClipRow | None:
        """The clip as that dock announced it, or None. Without `dock_id`, the first dock that has it."""
        row = self.one(_FIRST, of=clip_id) if dock_id is None else self.one(_ON_DOCK, of=clip_id, dock=dock_id)
        return AnnouncedClipRow(*row) if row else None

    def put_clip(self, clip: AnnouncedClipRow) -> None:
        """Stores a clip, in the place of what the same dock announced of it before."""
        self.run(_PUT, **row_values(clip))

    def clips_recorded_before(self, at: str) -> list[AnnouncedClipRow]:
        """Clips that were recorded up to `at` and are not disposed of, oldest first."""
        return [AnnouncedClipRow(*row) for row in self.run(_RECORDED_BEFORE, at=at)]

    def add_incident(self, clip_id: str, incident_id: str) -> None:
        """Notes that a clip belongs to an incident. This is never taken back."""
        self.run(_ADD_INCIDENT, clip_id=clip_id, incident_id=incident_id)

    def incidents(self, clip_id: str) -> list[str]:
        """The incidents that a clip belongs to, by id."""
        return [row[0] for row in self.run(_INCIDENTS, of=clip_id)]

    def clips_of_incident(self, incident_id: str) -> list[str]:
        """The clips that belong to an incident, by id."""
        return [row[0] for row in self.run(_OF_INCIDENT, of=incident_id)]

    def through(self, dock_id: str) -> int:
        """The dock's `through`: every notice up to this sequence is stored. 0 for a dock that announced nothing."""
        row = self.one(_THROUGH, dock=dock_id)
        return int(row[0]) if row else 0

    def advance_through(self, dock_id: str) -> int:
        """Moves the dock's `through` forward over every stored notice that follows without a gap. Returns it."""
        through = self.through(dock_id)
        while (row := self.one(_NEXT, dock=dock_id, through=through))[0] is not None:
            through = int(row[0])
        self.run(_PUT_THROUGH, dock_id=dock_id, through=through)
        return through
