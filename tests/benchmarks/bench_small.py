"""Many small clips: docked, taken in, durable, receipted, with broker and policy service at work beside the dock.

All of it on a filesystem made for it, as a dock's vault has one: creating files on one that is years old and shared
with much else is up to twenty times as slow, and would measure that.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from daemon.cli.demo.world import DOCK
from daemon.link.session import Session
from tests.benchmarks.disk import new_filesystem
from tests.benchmarks.measure import cpu_seconds, pss
from tests.kit.precinct import Precinct, running
from tests.kit.promise import Camera

COUNT, SIZE = 10_000, 65_536
_SHIFTS = 10


def run(count: int = COUNT) -> dict[str, Any]:
    """Clips a second from docking to the last commit, and to the last receipt; then as many again in ten dockings,
    and what the dock's memory was after the first and the last of them, its bay empty.
    """
    with new_filesystem() as (folder, filesystem), running(folder / "precinct") as precinct:
        camera = Camera(precinct.world, 0, random.Random(1), apart=timedelta(days=1))
        camera.undock()
        dock = precinct.stage.pid("dock")
        before, worked = pss(dock), cpu_seconds(dock)
        held, received = _take_in(precinct, camera, count)
        worked = cpu_seconds(dock) - worked
        docked = pss(dock)
        emptied = [pss(dock) for _ in range(_SHIFTS) if _take_in(precinct, camera, count // _SHIFTS)]
        return {
            "filesystem": filesystem,
            "clips": count,
            "durable_a_second": count / held,
            "receipted_a_second": count / received,
            "target_a_second": 300.0,
            "processor_ms_a_clip": worked * 1000 / count,
            "memory_before_mb": before / 1e6,
            "memory_after_mb": docked / 1e6,
            "memory_after_first_shift_mb": emptied[0] / 1e6,
            "memory_after_last_shift_mb": emptied[-1] / 1e6,
        }


def _take_in(precinct: Precinct, camera: Camera, count: int) -> tuple[float, float]:
    """Seconds from docking until the bay says that it holds all, and that the camera may be taken out; then it is."""
    for _ in range(count):
        camera.record(SIZE)
    with Session(precinct.broker, (precinct.topics.bay(DOCK, camera.folder.name),)) as session:
        started = time.monotonic()
        camera.dock()
        moments = _said(session, lambda bay: bay["clips_done"] == count, lambda bay: bay["state"] == "done")
        camera.harvest()
        camera.undock()
        _said(session, lambda bay: bay["state"] == "empty")
    return moments[0] - started, moments[1] - started


def _said(session: Session, *wanted: Callable[[dict[str, Any]], bool]) -> list[float]:
    """The moments at which the bay first says each of these, one after another or at once."""
    moments: list[float] = []
    while len(moments) < len(wanted):
        message = session.wait(lambda _: True, 120)
        assert message is not None, "the bay says nothing any more"
        standing = json.loads(message.payload)
        while len(moments) < len(wanted) and wanted[len(moments)](standing):
            moments.append(time.monotonic())
    return moments
