"""The shift that the demo tells of: two incidents at dispatch, and two cameras with what they recorded."""

from __future__ import annotations

import json
import subprocess
import uuid
from datetime import datetime, timedelta
from typing import Any

from daemon.cli.demo import world as cast
from daemon.cli.demo.stage import SIM, Ran, Stage
from daemon.cli.demo.world import AGENCY, DOCK, CastMember, World
from daemon.model.times import format_instant

DEADLY, ROUTINE = "23-310001", "23-310002"


class DemoShift:
    """Three hours before `now` there was a use of deadly force, half an hour later a routine stop."""

    def __init__(self, world: World, stage: Stage, now: datetime) -> None:
        self._world = world
        self._stage = stage
        self._start = now - timedelta(hours=3)
        self.deadly_clip, self.after_clip, self.routine_clip = (str(uuid.uuid4()) for _ in range(3))

    def send_dispatch(self) -> Ran:
        """Dispatch tells of both incidents."""
        start = self._start
        incidents = [
            _incident(DEADLY, "shots fired", "711", cast.OFFICER.person_id, start),
            _incident(ROUTINE, "traffic stop", "722", cast.ROUTINE_OFFICER.person_id, start + timedelta(minutes=30)),
        ]
        path = self._world.config / "incidents.json"
        path.write_text(json.dumps(incidents, indent=2))
        command = [*SIM, "dispatch", "--from", str(path), "--to", self._world.broker, "--agency", AGENCY, "--json"]
        return self._stage.run(*command)

    def dock_cameras(self) -> list[subprocess.Popen[str]]:
        """Both cameras are put into their bays."""
        routine = self._start + timedelta(minutes=30)
        deadly_clips = [
            _clip(self.deadly_clip, self._start + timedelta(seconds=-10), 420, "dispatch", 5),
            _clip(self.after_clip, self._start + timedelta(seconds=430), 165, "button", 3),
        ]
        routine_clips = [_clip(self.routine_clip, routine + timedelta(seconds=20), 575, "button", 4)]
        return [
            self._dock_camera(cast.OFFICER, "bay-1", deadly_clips),
            self._dock_camera(cast.ROUTINE_OFFICER, "bay-2", routine_clips),
        ]

    def _dock_camera(self, officer: CastMember, bay: str, clips: list[str]) -> subprocess.Popen[str]:
        world, serial = self._world, cast.CAMERAS[officer.person_id]
        options = [option for clip in clips for option in ("--clip", clip)]
        return self._stage.begin(
            *SIM,
            "camera",
            *("--mounts", str(world.mounts), "--bay", bay, "--serial", serial, "--officer", officer.person_id),
            *("--key", str(world.key(serial, "sign")), "--dock-key", str(world.key(DOCK, "sign", public=True))),
            *("--keep-footage", str(world.root / "recorded"), "--timeout", "30", "--json"),
            *options,
        )


def _incident(incident_id: str, kind: str, unit: str, officer: str, start: datetime) -> dict[str, Any]:
    times = (("Dispatched", 0), ("EnRoute", 30), ("OnScene", 120), ("Cleared", 600))
    statuses = [[status, format_instant(start + timedelta(seconds=after))] for status, after in times]
    units = [{"unit_id": unit, "officers": [officer], "statuses": statuses}]
    return {"incident_id": incident_id, "incident_type": kind, "priority": 1, "units": units}


def _clip(clip_id: str, start: datetime, seconds: int, trigger: str, footage: int) -> str:
    fields = {
        "clip_id": clip_id,
        "started_at": format_instant(start),
        "seconds": seconds,
        "pre_event": 30,
        "trigger_on": trigger,
        "footage": footage,
    }
    return ",".join(f"{name}={value}" for name, value in fields.items())
