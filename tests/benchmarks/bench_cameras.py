"""Several cameras at once, through the running daemon: how much together, how fairly, and how long a small clip waits
behind a large one.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from daemon.cli.demo.world import DOCK
from daemon.link.session import Session
from tests.benchmarks import disk
from tests.benchmarks.measure import pss
from tests.crash.kit import Camera
from tests.system.precinct import Precinct, running

CAMERAS = {f"5000{number}": f"cam-000{number}" for number in range(1, 5)}
SIZE = int(os.environ.get("BENCH_CAMERA_BYTES", 1 << 30))
LARGE = int(os.environ.get("BENCH_LARGE_BYTES", 9 << 30))


def run() -> dict[str, Any]:
    """MB/s of four cameras together against what binds; seconds until a small clip docked behind a 9 GB one is held."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        folder = Path(name)
        hashing = disk.hash_rate(2) / 2
        write, read = disk.write_rate(folder / "written", SIZE), disk.read_rate(folder / "written")
        binding = min(hashing, 1 / (1 / write + 1 / read))
        with running(folder / "precinct", cameras=CAMERAS) as precinct:
            cameras = [Camera(precinct.world, n, random.Random(n), cameras=CAMERAS) for n in range(len(CAMERAS))]
            found = _together(precinct, cameras, binding)
            found |= _behind(precinct, cameras)
        return found | {"what_binds": "hashing" if binding == hashing else "the disk"}


def _together(precinct: Precinct, cameras: list[Camera], binding: float) -> dict[str, Any]:
    for camera in cameras:
        camera.undock()
        camera.record(SIZE)
    started = time.monotonic()
    for camera in cameras:
        camera.dock()
    peak = [0]
    ended = threading.Event()
    watch = threading.Thread(target=_watch_memory, args=(precinct.stage.pid("dock"), peak, ended))
    watch.start()
    held = {camera.folder.name: _held(precinct, camera) - started for camera in cameras}
    ended.set()
    watch.join()
    rate = len(cameras) * SIZE / max(held.values())
    return {
        "together_mb_s": rate / 1e6,
        "together_of_what_binds": rate / binding,
        "target_together": 0.85,
        "slowest_of_fastest_camera": min(held.values()) / max(held.values()),
        "memory_mb": peak[0] / 1e6,
        "target_memory_mb": 150.0 + 40.0 * len(cameras),
    }


def _behind(precinct: Precinct, cameras: list[Camera]) -> dict[str, Any]:
    for camera in cameras[:2]:
        camera.undock()
    cameras[0].record(LARGE)
    name = cameras[1].record(1 << 20)
    cameras[0].dock()
    with Session(precinct.broker, (precinct.topics.bay(DOCK, cameras[0].folder.name),)) as session:
        assert session.wait(lambda m: json.loads(m.payload)["bytes_done"] > LARGE // 20, 120), "the large clip is read"
    with Session(precinct.broker, (precinct.topics.clip(DOCK, name),)) as session:
        started = time.monotonic()
        cameras[1].dock()
        assert session.wait(lambda m: bool(m.payload), 120), "the small clip is announced"
        return {"small_behind_large_seconds": time.monotonic() - started, "target_small_behind_large_seconds": 2.0}


def _held(precinct: Precinct, camera: Camera) -> float:
    """When the bay says that it holds its clip."""
    with Session(precinct.broker, (precinct.topics.bay(DOCK, camera.folder.name),)) as session:
        assert session.wait(lambda m: json.loads(m.payload)["clips_done"] >= 1, 600)
    return time.monotonic()


def _watch_memory(pid: int, peak: list[int], ended: threading.Event) -> None:
    while not ended.wait(0.2):
        peak[0] = max(peak[0], pss(pid))
