"""One 1 GiB clip through the daemon's pipeline, durable, against SHA-256 over the same bytes, interleaved; medians."""

from __future__ import annotations

import hashlib
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from daemon.dock import pipeline

SIZE = 1 << 30
ROUNDS = 5


def run() -> dict[str, Any]:
    """MB/s of sealing (until durable, before read-back), of the read-back, of SHA-256 alone; and their ratio."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        source = Path(folder) / "footage"
        _fill(source)
        slots = pipeline.make_slots()
        seal, back, sha = [], [], []
        for number in range(ROUNDS):
            sha.append(_sha256(source))
            target = Path(folder) / f"{number}.sealed"
            with source.open("rb") as file:
                sealed = pipeline.seal(file.fileno(), target, os.urandom(32), "clip", slots, lambda _: None)
            target.unlink()
            seal.append(sealed.seconds)
            back.append(sealed.read_back_seconds)
    ratios = [s / t for s, t in zip(sha, seal, strict=True)]
    return {
        "seal_mb_s": SIZE / statistics.median(seal) / 1e6,
        "read_back_mb_s": SIZE / statistics.median(back) / 1e6,
        "sha256_mb_s": SIZE / statistics.median(sha) / 1e6,
        "seal_of_sha256": statistics.median(ratios),
        "target_of_sha256": 0.9,
    }


def _fill(path: Path) -> None:
    with path.open("wb") as file:
        for _ in range(SIZE >> 24):
            file.write(os.urandom(1 << 24))
        file.flush()
        os.fsync(file.fileno())


def _sha256(path: Path) -> float:
    """Seconds of SHA-256 over the file, which the page cache holds."""
    digest, buffer = hashlib.sha256(), memoryview(bytearray(1 << 20))
    with path.open("rb", buffering=0) as file:
        started = time.perf_counter()
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
        return time.perf_counter() - started
