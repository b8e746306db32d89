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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, mode
from typing import Any

from daemon.cli.demo.world import DOCK
from daemon.link.session import Session
from tests.benchmarks import disk
from tests.benchmarks.measure import family, pss
from tests.kit.precinct import Precinct, running
from tests.kit.promise import Camera

CAMERAS = {f"5000{number}": f"cam-000{number}" for number in range(1, 5)}
ROUNDS = 3
_WITHOUT_CAMERAS = 3
"""Processes of a dock with empty bays: itself, and multiprocessing's fork server and resource tracker."""
SIZE = int(os.environ.get("BENCH_CAMERA_BYTES", 1 << 30))
LARGE = int(os.environ.get("BENCH_LARGE_BYTES", 9 << 30))


def run() -> dict[str, Any]:
    """MB/s of four cameras together against what binds (medians of several rounds, the limits measured before each);
    seconds until a small clip docked behind a 9 GB one is held; memory of the dock and its readers.
    """
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        folder = Path(name)
        with running(folder / "precinct", cameras=CAMERAS) as precinct:
            cameras = [Camera(precinct.world, n, random.Random(n), cameras=CAMERAS) for n in range(len(CAMERAS))]
            rounds = []
            with _watched(precinct.stage.pid("dock")) as peak:
                for number in range(ROUNDS):
                    limits = disk.limits(folder / f"{number}.written", SIZE)
                    rounds.append((limits, *_together(precinct, cameras, number + 1)))
            found = {
                "together_mb_s": median(rate for _, rate, _ in rounds) / 1e6,
                "what_binds": mode(limits.what_binds for limits, _, _ in rounds),
                "together_of_what_binds": median(rate / limits.binding for limits, rate, _ in rounds),
                "target_together": 0.85,
                "together_of_what_two_cores_compute": median(rate / limits.processors for limits, rate, _ in rounds),
                "slowest_of_fastest_camera": median(fairness for _, _, fairness in rounds),
                "memory_four_cameras_mb": peak[0] / 1e6,
                "target_memory_four_cameras_mb": 150.0 + 40.0 * len(cameras),
            }
            for camera in cameras:
                camera.undock()
            return found | _alone(precinct, cameras[2]) | _behind(precinct, cameras)


def _together(precinct: Precinct, cameras: list[Camera], clips: int) -> tuple[float, float]:
    """Bytes a second of one more clip of each camera, docked at once; and how much sooner the first was done."""
    for camera in cameras:
        camera.undock()
        camera.record(SIZE)
    started = time.monotonic()
    for camera in cameras:
        camera.dock()
    held = [_held(precinct, camera, clips) - started for camera in cameras]
    return len(cameras) * SIZE / max(held), min(held) / max(held)


def _alone(precinct: Precinct, camera: Camera) -> dict[str, Any]:
    """Memory while one camera's clip of 9 MB is taken in, all other bays empty."""
    _wait_for_readers_to_end(precinct)
    with _watched(precinct.stage.pid("dock")) as peak:
        camera.record(9 << 20)
        camera.dock()
        _held(precinct, camera, ROUNDS + 1)
    camera.undock()
    return {"memory_9_mb_mb": peak[0] / 1e6, "target_memory_9_mb_mb": 190.0}


def _wait_for_readers_to_end(precinct: Precinct) -> None:
    """Until of the dock's processes only those are left that do not serve a camera."""
    dock, deadline = precinct.stage.pid("dock"), time.monotonic() + 30
    while len(list(family(dock))) > _WITHOUT_CAMERAS:
        assert time.monotonic() < deadline, "readers outlive their cameras"
        time.sleep(0.05)


def _behind(precinct: Precinct, cameras: list[Camera]) -> dict[str, Any]:
    cameras[0].record(LARGE)
    name = cameras[1].record(1 << 20)
    topics = precinct.topics
    with _watched(precinct.stage.pid("dock")) as peak, Session(precinct.broker, (topics.clip(DOCK, name),)) as clip:
        with Session(precinct.broker, (topics.bay(DOCK, cameras[0].folder.name),)) as bay:
            cameras[0].dock()
            before = ROUNDS * SIZE
            large = bay.wait(lambda m: json.loads(m.payload)["bytes_done"] > before + LARGE // 20, 120)
            assert large, "the large clip is read"
        started = time.monotonic()
        cameras[1].dock()
        assert clip.wait(lambda m: bool(m.payload), 120), "the small clip is announced"
        seconds = time.monotonic() - started
        _held(precinct, cameras[0], ROUNDS + 1)
    return {
        "small_behind_large_seconds": seconds,
        "target_small_behind_large_seconds": 2.0,
        "memory_9_gb_and_a_small_one_mb": peak[0] / 1e6,
        "target_memory_9_gb_and_a_small_one_mb": 230.0,
    }


def _held(precinct: Precinct, camera: Camera, clips: int) -> float:
    """When the bay says that it holds so many clips."""
    with Session(precinct.broker, (precinct.topics.bay(DOCK, camera.folder.name),)) as session:
        assert session.wait(lambda m: json.loads(m.payload)["clips_done"] >= clips, 600)
    return time.monotonic()


@contextmanager
def _watched(pid: int) -> Iterator[list[int]]:
    """The most memory in use meanwhile, by `pid` and all below it."""
    peak = [pss(pid)]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            peak[0] = max(peak[0], pss(pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()
        peak[0] = max(peak[0], pss(pid))
