"""Many small clips: docked, taken in, durable, receipted, with broker and policy service at work beside the dock."""

from __future__ import annotations

import json
import random
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from daemon.cli.demo.world import DOCK
from daemon.link.session import Session
from tests.benchmarks.measure import cpu_seconds, pss
from tests.crash.kit import Camera
from tests.system.precinct import Precinct, running

COUNT, SIZE = 10_000, 65_536


def run(count: int = COUNT) -> dict[str, Any]:
    """Clips a second from docking to the last commit, and to the last receipt; the dock's memory before and after."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as precinct:
        camera = Camera(precinct.world, 0, random.Random(1), apart=timedelta(days=1))
        camera.undock()
        for _ in range(count):
            camera.record(SIZE)
        before = pss(precinct.stage.pid("dock"))
        worked, started = cpu_seconds(precinct.stage.pid("dock")), time.monotonic()
        camera.dock()
        held, received = _watch(precinct, camera.folder.name, count, started)
        return {
            "clips": count,
            "durable_a_second": count / held,
            "receipted_a_second": count / received,
            "target_a_second": 300.0,
            "processor_ms_a_clip": (cpu_seconds(precinct.stage.pid("dock")) - worked) * 1000 / count,
            "memory_before_mb": before / 1e6,
            "memory_after_mb": pss(precinct.stage.pid("dock")) / 1e6,
        }


def _watch(precinct: Precinct, bay: str, count: int, started: float) -> tuple[float, float]:
    """Seconds until the bay has said that it holds all, and that the camera may be taken out."""
    held = 0.0
    with Session(precinct.broker, (precinct.topics.bay(DOCK, bay),)) as session:
        while True:
            message = session.wait(lambda _: True, 600)
            assert message is not None, "the bay says nothing any more"
            standing = json.loads(message.payload)
            now = time.monotonic() - started
            if not held and standing["clips_done"] == count:
                held = now
            if held and standing["state"] == "done":
                return held, now
