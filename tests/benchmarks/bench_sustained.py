"""Clip after clip from one camera, read back from the medium: one clip is read back while the next is read."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from statistics import median, mode
from typing import Any

from daemon.core.settle import FileStat
from daemon.dock.camera.handle import ReaderHandle
from daemon.dock.camera.messages import ReaderLimits, SealRequest, SealResult, SealTarget
from daemon.dock.camera.reader import SealBatch
from tests.benchmarks import disk
from tests.benchmarks.measure import pss
from tests.kit.agency import open_pem

CLIPS, ROUNDS = 8, 3
SIZE = int(os.environ.get("BENCH_SUSTAINED_BYTES", 1 << 30))


def run() -> dict[str, Any]:
    """Sustained MB/s over 8 clips, footage and sealed file both hashed, against what binds: hashing or the disk.

    Medians of several rounds; the limits are measured before each.
    """
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        folder = Path(name)
        (folder / "bay" / "clips").mkdir(parents=True)
        footage = folder / "bay" / "clips" / "0.mp4"
        disk.fill(footage, SIZE)
        handle = ReaderHandle(folder / "bay", ReaderLimits(max_clips=100, max_clip_bytes=1 << 40), 60.0)
        limits, rates, memory = [], [], 0
        try:
            handle.scan()
            for number in range(ROUNDS):
                limits.append(disk.limits(folder / f"{number}.written", SIZE))
                (folder / f"{number}").mkdir()
                rate, used = _sustained(handle, folder / f"{number}", footage)
                rates.append(rate)
                memory = max(memory, used)
        finally:
            handle.close()
    pairs = list(zip(rates, limits, strict=True))
    return {
        "sustained_mb_s": median(rates) / 1e6,
        "two_hashes_on_two_cores_mb_s": median(limit.hashing for limit in limits) / 1e6,
        "disk_write_and_read_mb_s": median(limit.disk for limit in limits) / 1e6,
        "what_binds": mode(limit.what_binds for limit in limits),
        "sustained_of_what_binds": median(rate / limit.binding for rate, limit in pairs),
        "target_of_what_binds": 0.75,
        "all_that_two_cores_compute_mb_s": median(limit.processors for limit in limits) / 1e6,
        "sustained_of_what_two_cores_compute": median(rate / limit.processors for rate, limit in pairs),
        "reader_memory_mb": memory / 1e6,
    }


def _sustained(handle: ReaderHandle, folder: Path, footage: Path) -> tuple[float, int]:
    info = footage.stat()
    under_way: list[SealBatch] = []
    memory = 0
    started = time.perf_counter()
    for number in range(CLIPS):
        path, recipients = str(folder / f"{number}.sealed"), (open_pem("policy"),)
        target = SealTarget(path, f"clip-{number}", "dock-1", None, recipients)
        request = SealRequest("0", FileStat(info.st_size, info.st_mtime_ns, info.st_ctime_ns), target)
        under_way.append(handle.begin([request], lambda _: None))
        if len(under_way) > 1:
            _end(handle, under_way.pop(0))
        handle.await_written(under_way[-1])
        assert handle.process.pid is not None
        memory = max(memory, pss(handle.process.pid))
    while under_way:
        _end(handle, under_way.pop(0))
    return CLIPS * SIZE / (time.perf_counter() - started), memory


def _end(handle: ReaderHandle, batch: SealBatch) -> None:
    [answer] = handle.await_results(batch)
    assert isinstance(answer, SealResult), answer
