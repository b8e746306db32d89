"""The same measures at 1,000, 10,000, 100,000 and 1,000,000 clips: what grows with a dock's history, and how."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from daemon.custody.log import CustodyLog, NewEntry
from daemon.custody.proof import check_inclusion
from daemon.custody.tree import leaf_hash
from daemon.custody.verify import verify_export
from daemon.dock.opening import open_dock
from daemon.model.clock import SystemClock
from daemon.model.config import DockConfig
from daemon.model.custody_actions import CustodyAction
from daemon.seal.note import parse_checkpoint
from daemon.seal.private_keys import load_sign_key
from tests.benchmarks.measure import pss
from tests.benchmarks.stores import fill, make_world

COUNTS = tuple(int(count) for count in os.environ.get("BENCH_GROWTH", "1000,10000,100000,1000000").split(","))
TARGETS = {
    "ready_s": 3.0,
    "append_us": None,
    "inclusion_ms": 5.0,
    "verify_s": 20.0,
    "bytes_a_clip": 8192.0,
    "memory_mb": 150.0,
}
_READY = """
import sys
from pathlib import Path
from daemon.dock.service import DockService
from daemon.model.clock import SystemClock
from daemon.model.config import DockConfig, load_config
DockService(load_config(DockConfig, Path(sys.argv[1])), SystemClock()).run(lambda: print("ready", flush=True))
"""


def run() -> dict[str, Any]:
    """Each measure by the number of clips; a list in the order of `clips`."""
    found: dict[str, Any] = {"clips": list(COUNTS), **{name: [] for name in TARGETS}}
    for count in COUNTS:
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
            for name, value in _measure(Path(folder), count).items():
                found[name].append(value)
        print(f"  {count:>9,} " + ", ".join(f"{name} {found[name][-1]:,.3f}" for name in TARGETS), flush=True)
    found["targets"] = {name: target for name, target in TARGETS.items() if target is not None}
    return found


def _measure(folder: Path, count: int) -> dict[str, float]:
    world, config = make_world(folder / "world")
    fill(config, count)
    size = sum(path.stat().st_size for place in (config.state, config.vault) for path in place.rglob("*"))
    ready, memory = _ready(world.config / "dock.toml")
    dock = open_dock(config, SystemClock())
    append, inclusion = _append(dock.custody, dock.store.db), _inclusion(dock.custody, config)
    verify = _verify(dock.custody, config, folder / "export")
    dock.store.close()
    return {
        "ready_s": ready,
        "append_us": append,
        "inclusion_ms": inclusion,
        "verify_s": verify,
        "bytes_a_clip": size / count,
        "memory_mb": memory,
    }


def _ready(config: Path) -> tuple[float, float]:
    """Seconds from starting the process to READY (best of three: the first also fills the page cache), and memory."""
    seconds, memory = [], 0.0
    for _ in range(3):
        started = time.perf_counter()
        with subprocess.Popen([sys.executable, "-c", _READY, str(config)], stdout=subprocess.PIPE, text=True) as dock:
            assert dock.stdout is not None
            assert dock.stdout.readline() == "ready\n"
            seconds.append(time.perf_counter() - started)
            memory = pss(dock.pid) / 1e6
            dock.kill()
    return min(seconds), memory


def _append(log: CustodyLog, db: Any) -> float:
    """Microseconds an entry, in a transaction of a thousand that is taken back."""
    db.execute("BEGIN")
    started = time.perf_counter()
    for _ in range(1000):
        log.append(NewEntry(CustodyAction.DOCKED, None, {"bay": "bay-1"}), datetime.now(UTC))
    seconds = time.perf_counter() - started
    db.execute("ROLLBACK")
    return seconds * 1e3


def _inclusion(log: CustodyLog, config: DockConfig) -> float:
    """Milliseconds to make and check an inclusion proof, median over entries all through the log."""
    key = load_sign_key(config.sign_key)
    size = log.size
    root = parse_checkpoint(log.checkpoint(key, size), what="checkpoint").root
    times = []
    for sequence in range(0, size, max(1, size // 100)):
        started = time.perf_counter()
        line = log.line(sequence)
        assert line is not None
        check_inclusion(leaf_hash(line), sequence, size, log.inclusion(sequence, size), root)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e3


def _verify(log: CustodyLog, config: DockConfig, out: Path) -> float:
    """Seconds to verify the whole exported log from its lines, the checkpoint and the public key."""
    out.mkdir()
    with (out / "custody.jsonl").open("wb") as file:
        for line in log.lines():
            file.write(line + b"\n")
    key = load_sign_key(config.sign_key)
    note = log.checkpoint(key)
    started = time.perf_counter()
    verify_export(out / "custody.jsonl", note, key.public_key(), None)
    return time.perf_counter() - started
