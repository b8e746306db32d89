"""One 2 GiB clip through the daemon's pipeline, durable, against the slowest single stage and against what else a user
could run (whichever is installed), interleaved; medians.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daemon.dock.camera import byte_path
from tests.benchmarks import disk

SIZE = int(os.environ.get("BENCH_CLIP_BYTES", 2 << 30))
ROUNDS = 5
PEER_ROUNDS = 1
TARGETS = {"openssl_age": 2.5, "sha256sum_age": 5.0, "restic": 10.0, "rclone_crypt": 10.0}


def run() -> dict[str, Any]:
    """MB/s of sealing (until durable, before read-back), of the stages alone, of the peers; and the ratios."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        folder = Path(name)
        source = folder / "footage"
        disk.fill(source, SIZE)
        slots = byte_path.make_slots()
        seal, back, sha, write, read = [], [], [], [], []
        for number in range(ROUNDS):
            sha.append(SIZE / disk.sha256(source))
            write.append(disk.write_rate(folder / f"{number}.written", SIZE))
            read.append(disk.read_rate(folder / f"{number}.written"))
            target = folder / f"{number}.sealed"
            with source.open("rb") as file:
                sealed = byte_path.seal(file.fileno(), target, os.urandom(32), "clip", slots, lambda _: None)
            seal.append(SIZE / sealed.seconds)
            back.append(SIZE / sealed.read_back_seconds)
        slowest = [min(rates) for rates in zip(sha, write, strict=True)]
        ours = statistics.median(seal)
        found: dict[str, Any] = {
            "seal_mb_s": ours / 1e6,
            "read_back_mb_s": statistics.median(back) / 1e6,
            "sha256_mb_s": statistics.median(sha) / 1e6,
            "disk_write_mb_s": statistics.median(write) / 1e6,
            "disk_read_mb_s": statistics.median(read) / 1e6,
            "seal_of_slowest_stage": statistics.median(s / limit for s, limit in zip(seal, slowest, strict=True)),
            "target_of_slowest_stage": 0.9,
        }
        for peer, command in peers(source, folder).items():
            rate = statistics.median(SIZE / _seconds(command) for _ in range(PEER_ROUNDS))
            found |= {f"{peer}_mb_s": rate / 1e6, f"times_{peer}": ours / rate, f"target_times_{peer}": TARGETS[peer]}
        return found


def peers(source: Path, folder: Path) -> dict[str, Callable[[], None]]:
    """What else hashes and encrypts a file, of what is installed: each hashes the footage and stores it encrypted."""
    found: dict[str, Callable[[], None]] = {}
    if shutil.which("age") and shutil.which("age-keygen"):
        key = folder / "age.key"
        subprocess.run(["age-keygen", "-o", key], check=True, capture_output=True)
        public = subprocess.run(["age-keygen", "-y", key], check=True, capture_output=True, text=True).stdout.strip()
        seal = f"age -r {public} -o {folder}/peer {source} && sync {folder}/peer && rm {folder}/peer"
        if shutil.which("openssl"):
            found["openssl_age"] = _shell(f"openssl dgst -sha256 {source} && {seal}")
        found["sha256sum_age"] = _shell(f"sha256sum {source} && {seal}")
    if shutil.which("restic"):
        environment = {"RESTIC_PASSWORD": "benchmark", "RESTIC_CACHE_DIR": str(folder / "cache")}
        repository = folder / "restic"
        found["restic"] = _shell(
            f"restic -q init -r {repository} && restic -q backup -r {repository} {source} && rm -r {repository}",
            environment,
        )
    if shutil.which("rclone"):
        config = folder / "rclone.conf"
        obscured = subprocess.run(["rclone", "obscure", "benchmark"], check=True, capture_output=True, text=True).stdout
        config.write_text(f"[secret]\ntype = crypt\nremote = {folder}/rclone\npassword = {obscured.strip()}\n")
        found["rclone_crypt"] = _shell(
            f"sha256sum {source} && rclone --config {config} copy {source} secret: && rm -r {folder}/rclone"
        )
    return found


def _shell(command: str, environment: dict[str, str] | None = None) -> Callable[[], None]:
    def work() -> None:
        env = os.environ | (environment or {})
        subprocess.run(["bash", "-ec", command], check=True, capture_output=True, env=env)

    return work


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
