"""The plan of a shift, made from a seed: who has which camera, the incidents, the recordings, and when cameras dock.

Pure: no clock, no files. One seed gives the same plan on every machine. What a dock says afterwards can be compared
with the plan.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from device_sim import times
from device_sim.camera import recording
from device_sim.dispatch import center as dispatch
from device_sim.dispatch.incidents import Incident
from device_sim.shifts import duty

_START_HOUR = 16  # as in dispatch.shift


@dataclass(frozen=True)
class Preset:
    """The size of a precinct's day. `patrol` officers are dispatched; the others record when they meet people."""

    officers: int
    patrol: int
    incidents: int
    clips: int
    sites: tuple[str, ...]
    hours: float = 24
    bytes_per_clip: int | None = 343_000_000


PRESETS = {
    "pilot": Preset(150, 150, 283, 585, ("central",)),
    "citywide": Preset(800, 300, 1500, 3100, ("central", "north", "east", "training-center", "kelly-building")),
}


def small(officers: int, incidents: int | None = None) -> Preset:
    """A shift for a developer's machine: a few seconds of real footage instead of gigabytes."""
    return Preset(
        officers, officers, incidents if incidents is not None else officers * 3, officers * 4, ("central",), 10, None
    )


@dataclass(frozen=True)
class PlannedClip:
    """One recording, in true time. `incident_id`: its call, if any. `size` in bytes; None: a few seconds of video."""

    clip_id: str
    seed: int
    incident_id: str | None
    started_at: datetime
    seconds: float
    pre_event: float
    trigger_on: str
    trigger_off: str
    size: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "clip_id": self.clip_id,
            "incident_id": self.incident_id,
            "started_at": times.utc_text(self.started_at),
            "triggered_at": times.utc_text(self.started_at + timedelta(seconds=self.pre_event)),
            "stopped_at": times.utc_text(self.started_at + timedelta(seconds=self.seconds)),
            "trigger_on": self.trigger_on,
            "trigger_off": self.trigger_off,
            "size_bytes": self.size,
        }


@dataclass(frozen=True)
class PlannedCamera:
    """One officer's camera, its clips, and when it docks. `skew_seconds`: how far its clock is ahead."""

    serial: str
    officer_id: str
    site: str
    docks_at: datetime
    skew_seconds: float
    clips: tuple[PlannedClip, ...]
    faults: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "serial": self.serial,
            "officer_id": self.officer_id,
            "site": self.site,
            "docks_at": times.utc_text(self.docks_at),
            "skew_seconds": self.skew_seconds,
            "faults": list(self.faults),
            "clips": [clip.as_dict() for clip in self.clips],
        }


@dataclass(frozen=True)
class Plan:
    """A whole shift."""

    seed: int
    begins: datetime
    incidents: tuple[Incident, ...]
    cameras: tuple[PlannedCamera, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "seed": self.seed,
            "begins": times.utc_text(self.begins),
            "incidents": [incident.as_dict() for incident in self.incidents],
            "cameras": [camera.as_dict() for camera in self.cameras],
        }


def make(
    preset: Preset,
    seed: int,
    day: date,
    *,
    scale: float = 1.0,
    size: int | None = None,
    faults: tuple[str, ...] = (),
) -> Plan:
    """The shift that begins on that day. `scale` multiplies clip sizes, not counts; `size`: one for all clips."""
    dice = random.Random(f"plan|{seed}|{day}|{preset}|{faults}")
    begins = times.local_midnight(datetime(day.year, day.month, day.day, tzinfo=UTC))
    begins += timedelta(hours=_START_HOUR)
    incidents = dispatch.shift(preset.incidents, seed, day, preset.patrol, preset.hours)
    drafts = duty.answered(dice, incidents)
    officers = dispatch.officer_ids(preset.officers)
    if len(drafts) > preset.clips:
        drafts = sorted(dice.sample(drafts, preset.clips), key=lambda draft: (draft.officer_id, draft.started_at))
    duty.meet_the_public(dice, drafts, officers, begins, preset.hours, preset.clips)
    sizes = _sizes(drafts, preset, scale, size)
    cameras = []
    for number, officer in enumerate(officers, 1):
        mine = sorted((pair for pair in sizes if pair[0].officer_id == officer), key=lambda pair: pair[0].started_at)
        cameras.append(_camera(dice, number, officer, preset, seed, begins, mine))
    return Plan(seed, begins, tuple(incidents), tuple(_spoil(dice, cameras, faults)))


def _sizes(
    drafts: list[duty.Draft], preset: Preset, scale: float, size: int | None
) -> list[tuple[duty.Draft, int | None]]:
    """Gives each clip a size in proportion to its length, with the precinct's mean."""
    if size is not None or preset.bytes_per_clip is None:
        return [(draft, size) for draft in drafts]
    rate = preset.bytes_per_clip * len(drafts) / max(1.0, sum(draft.seconds for draft in drafts))
    return [(draft, max(1, round(draft.seconds * rate * scale))) for draft in drafts]


def _camera(
    dice: random.Random,
    number: int,
    officer: str,
    preset: Preset,
    seed: int,
    begins: datetime,
    drafts: list[tuple[duty.Draft, int | None]],
) -> PlannedCamera:
    serial = f"cam-{number:04}"
    ends = [draft.stopped_at for draft, _ in drafts]
    idle = begins + timedelta(hours=preset.hours * dice.uniform(0.3, 1))
    clips = []
    for index, (draft, size) in enumerate(drafts):
        own = recording.clip_seed(serial, seed, index)
        clips.append(
            PlannedClip(
                clip_id=recording.clip_id(own),
                seed=own,
                incident_id=draft.incident_id,
                started_at=draft.started_at,
                seconds=draft.seconds,
                pre_event=draft.pre_event,
                trigger_on=draft.trigger_on,
                trigger_off=draft.trigger_off,
                size=size,
            )
        )
    return PlannedCamera(
        serial=serial,
        officer_id=officer,
        site=preset.sites[(number - 1) % len(preset.sites)],
        docks_at=max([*ends, idle]) + timedelta(seconds=dice.randrange(120, 2400)),
        skew_seconds=float(dice.randrange(-120, 121)) if dice.random() < 0.1 else 0.0,
        clips=tuple(clips),
    )


def _spoil(dice: random.Random, cameras: list[PlannedCamera], faults: tuple[str, ...]) -> list[PlannedCamera]:
    """Gives each fault to one camera in ten, and to at least one."""
    for fault in faults:
        hit = set(dice.sample(range(len(cameras)), max(1, len(cameras) // 10)))
        cameras = [
            replace(camera, faults=(*camera.faults, fault)) if number in hit else camera
            for number, camera in enumerate(cameras)
        ]
    return cameras
