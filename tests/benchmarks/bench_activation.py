"""How fast activation is worked out: `python tests/benchmarks/bench_activation.py` prints the figures as JSON.

- `report_seconds`: `bwc dispatch report --json` as a command, start-up included, over a simulated citywide day: 3,100
  captures, and 1,500 incidents in every document that dispatch sent about them. Target: 2 s.
- `match_seconds`: 100,000 clips and 50,000 assignments of 800 officers matched and judged. Target: 5 s.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.core.dispatch.activation import Assignment, Clip, match
from device_sim.dispatch import center as dispatch
from device_sim.shifts import plan

_ROUNDS = 3
_BEGIN = datetime(2023, 11, 1, tzinfo=UTC)


def run() -> dict[str, Any]:
    """The figures; of several rounds the best."""
    with tempfile.TemporaryDirectory() as folder:
        documents, captures = citywide_day(Path(folder))
        seconds, report = _best(lambda: _report(Path(folder)))
    clips, assignments = month(100_000, 50_000)
    until = {clip.officer_id: clip.stopped_at for clip in clips}
    match_seconds, matching = _best(lambda: match(clips, assignments, until))
    return {
        "report_seconds": seconds,
        "report_target_seconds": 2.0,
        "report_documents": documents,
        "report_captures": captures,
        "report_assignments": len(report["assignments"]),
        "match_seconds": match_seconds,
        "match_target_seconds": 5.0,
        "match_clips": len(matching.clips),
        "match_assignments": len(matching.assignments),
        "match_overlaps": sum(len(clip.parts) for clip in matching.clips.values()),
    }


def citywide_day(folder: Path) -> tuple[int, int]:
    """Writes `cad/` and `captures/` below the folder; how many files of each."""
    planned = plan.make(plan.PRESETS["citywide"], 0, date(2023, 8, 21))
    deliveries = dispatch.deliveries(planned.incidents, 0, "portland")
    for name in ("cad", "captures"):
        (folder / name).mkdir()
    for delivery in deliveries:
        path = folder / "cad" / f"{delivery.incident_id}-{delivery.number}.eido.json"
        path.write_text(json.dumps(delivery.document))
    clips = [(camera, clip) for camera in planned.cameras for clip in camera.clips]
    for camera, clip in clips:
        payload = {"officer_id": camera.officer_id, "camera_serial": camera.serial, **clip.as_dict()}
        (folder / "captures" / f"{clip.clip_id}.capture.json").write_text(json.dumps(payload))
    return len(deliveries), len(clips)


def month(clip_count: int, assignment_count: int, officers: int = 800) -> tuple[list[Clip], list[Assignment]]:
    """Clips and assignments spread at random over 30 days; one call in 500 is never cleared."""
    dice = random.Random(7)

    def at() -> datetime:
        return _BEGIN + timedelta(milliseconds=dice.randrange(30 * 86_400_000))

    clips = []
    for number in range(clip_count):
        started = at()
        stopped = started + timedelta(seconds=dice.randrange(60, 3600))
        clips.append(
            Clip(f"clip-{number}", str(dice.randrange(officers)), started, started + timedelta(seconds=30), stopped)
        )
    assignments = []
    for number in range(assignment_count):
        begun = at()
        cleared = None if dice.random() < 0.002 else begun + timedelta(seconds=dice.randrange(60, 7200))
        assignments.append(
            Assignment(f"incident-{number}", "Theft", "711", str(dice.randrange(officers)), begun, cleared)
        )
    return clips, assignments


def _report(folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", "from daemon.cli.dispatch.command import dispatch; dispatch()", "report", "--json"]
    where = ["--eido", str(folder / "cad"), "--captures", str(folder / "captures")]
    printed: dict[str, Any] = json.loads(subprocess.run([*command, *where], check=True, capture_output=True).stdout)
    return printed


def _best(work: Any) -> tuple[float, Any]:
    taken = []
    result = None
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        result = work()
        taken.append(time.perf_counter() - began)
    return round(min(taken), 3), result


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
