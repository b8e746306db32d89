"""Power cuts: the dock on a real file system of its own, which loses everything that is not durable, again and again.

    python -m tests.crash.power --fs xfs --cuts 300 --seed 1

The image is cut with the file system's shutdown ioctl (as xfstests' `godown -n`), unmounted, mounted again. Broker,
policy service and cameras stay up: they lie elsewhere, and have seen what they have seen.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from daemon.cli.demo.stage import BWC, Stage, free_port
from daemon.cli.demo.world import World
from daemon.model.config import DockConfig, load_config
from tests.kit.promise import Camera, Listener, Nursery, Promise, alive, group, make_world, scratch, until

_SHUTDOWN, _NO_LOG_FLUSH = 0x8004587D, 2  # _IOR('X', 125, __u32): the same for ext4 and xfs
_MEGABYTES = {"ext4": 1500, "xfs": 1500}


def why_not(filesystem: str) -> str | None:
    """Why power cannot be cut here; None when it can."""
    if os.geteuid() != 0:
        return "mounting an image needs root"
    if not Path("/dev/loop-control").exists():
        return "there are no loop devices here"
    if shutil.which(f"mkfs.{filesystem}", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
        return f"mkfs.{filesystem} is not installed"
    return None


def sh(*command: str | Path) -> None:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    ran = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, env=os.environ | {"PATH": path}
    )
    assert ran.returncode == 0, f"{command[0]}: {ran.stderr}"


@dataclass
class Disk:
    """An image, mounted."""

    filesystem: str
    image: Path
    at: Path

    def make(self) -> None:
        self.at.mkdir()
        sh("truncate", "-s", f"{_MEGABYTES[self.filesystem]}M", self.image)
        quiet = ("-q", "-F") if self.filesystem == "ext4" else ("-q", "-f")
        sh(f"mkfs.{self.filesystem}", *quiet, self.image)
        self.mount()

    def mount(self) -> None:
        sh("mount", "-o", "loop", self.image, self.at)
        assert self.at.is_mount()

    def cut(self) -> None:
        """What is not on the medium is gone."""
        fd = os.open(self.at, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(fd)

    def unmount(self) -> None:
        end = time.monotonic() + 10
        while subprocess.run(["umount", self.at], capture_output=True).returncode != 0:
            assert time.monotonic() < end, f"{self.at} stays busy"
            time.sleep(0.005)

    def drop(self) -> None:
        if self.at.is_mount():
            subprocess.run(["umount", "--lazy", self.at], check=False)


@dataclass
class Ground:
    """A dock that can be ended and started again, its cameras, and what it owes."""

    world: World
    disk: Path
    nursery: Nursery
    rng: random.Random
    problems: list[str] = field(default_factory=list)
    pid: int = 0

    def __post_init__(self) -> None:
        self.vault = self.disk / "vault"
        self.settings = load_config(DockConfig, self.world.config / "dock.toml")
        self.cameras = [Camera(self.world, number, self.rng) for number in (0, 1)]
        self.listener = Listener(self.world)
        self.promise = Promise(self.world, self.vault)
        self.owed: dict[str, str] = {}
        self._fresh: set[str] = set()

    @property
    def recorded(self) -> dict[str, str]:
        return {name: digest for camera in self.cameras for name, digest in camera.recorded.items()}

    @property
    def log(self) -> Path:
        return self.world.logs / "dock.log"

    def start(self) -> bool:
        """Starts the dock; whether it came up."""
        ready = self.world.root / "ready"
        self.pid = self.nursery.dock(self.world.config / "dock.toml", self.log, ready)
        up = until(lambda: ready.exists() or not alive(self.pid), 20) and ready.exists()
        if not up:
            words = self.log.read_text(errors="replace")[-600:] if self.log.exists() else ""
            self.problems.append(f"the dock did not start again: {words}")
        return up

    def kill(self) -> None:
        """kill -9 of the dock's processes, and waits until none is left."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.nursery.wait(self.pid)
        while left := group(self.pid):  # orphans of a fork server, and what it forked while we looked
            for pid in left:
                send(pid, signal.SIGKILL)
            time.sleep(0.001)

    def freeze(self) -> None:
        """Stops the dock's whole process group at one instant."""
        os.killpg(self.pid, signal.SIGSTOP)

    def stop(self) -> None:
        send(self.pid, signal.SIGTERM)
        code = self.nursery.wait(self.pid)
        if code != 0:
            self.problems.append(f"the dock ended with {code}: {self.log.read_text()[-600:]}")

    def harvest(self) -> None:
        """What the dock owes from now on: receipts on cameras, notices heard."""
        now: dict[str, str] = {}
        for camera in self.cameras:
            now |= {name: receipt.sealed_sha256 for name, receipt in camera.harvest().items()}
        for name, sealed in list(self.listener.heard.items()):
            if self.owed.get(name, now.get(name, sealed)) != sealed:
                self.problems.append(f"{name}: sealed twice")
            if name not in self.owed:
                now.setdefault(name, sealed)
        self._fresh |= now.keys() - self.owed.keys()
        self.owed |= now

    def check(self, names: set[str] | None = None) -> None:
        """Looks at what came to be owed since the last look. The dock must have recovered."""
        recorded = self.recorded
        for name in self._fresh if names is None else names:
            if name not in recorded:
                self.problems.append(f"{name}: announced under an id that no camera gave it")
                continue
            problem = self.promise.broken(name, recorded[name], self.owed[name])
            if problem is not None:
                self.problems.append(f"{name}: {problem}")
        self._fresh.clear()

    def record(self, clips: int) -> None:
        """Up to so many new clips on each camera, fewer where many wait already."""
        for camera in self.cameras:
            for _ in range(min(clips, 3 * clips - len(camera.pending))):
                big = self.rng.random() < 0.02
                camera.record(5_000_000 if big else int(10 ** self.rng.uniform(2.5, 4.8)))

    def settle(self, seconds: float = 60) -> None:
        """Everything comes in; then the dock stops and the whole vault is checked."""

        def done() -> bool:
            self.harvest()
            return not any(camera.pending for camera in self.cameras)

        if not until(done, seconds, 0.05):
            left = {name for camera in self.cameras for name in camera.pending}
            self.problems.append(f"{len(left)} clips never came in: {sorted(left)[:5]}; {self.log.read_text()[-600:]}")
            self.kill()
            return
        self.stop()
        self.problems += self.promise.findings()
        self.check(set(self.owed))
        if self.owed.keys() != self.recorded.keys():
            self.problems.append(f"{len(self.recorded)} clips recorded, {len(self.owed)} owed")


def send(pid: int, number: int) -> None:
    """A signal; nothing when the process is gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def run(count: int, seed: int, filesystem: str = "ext4", clips: int = 5) -> dict[str, object]:
    """Cuts the power `count` times: half with vault and state on one file system, half with the state on another.

    On one file system each commit of the database happens to make the vault's names durable as well.
    """
    started = time.monotonic()
    problems: list[str] = []
    cuts = recorded = 0
    for apart, share in ((False, count - count // 2), (True, count // 2)):
        rng = random.Random(f"{seed} {filesystem} {apart}")
        with scratch() as root, _ground(root, filesystem, apart, rng) as (ground, disk):
            cuts += _cut_again_and_again(ground, disk, share, clips)
            problems += ground.problems
            recorded += len(ground.recorded)
    return {
        "power_cuts": cuts,
        "lost": len(problems),
        "filesystem": filesystem,
        "clips": recorded,
        "problems": problems[:10],
        "seconds": round(time.monotonic() - started, 1),
    }


@contextmanager
def _ground(root: Path, filesystem: str, apart: bool, rng: random.Random) -> Iterator[tuple[Ground, Disk]]:
    disk = Disk(filesystem, root / "image", root / "disk")
    try:
        disk.make()
        world = make_world(root / "world", free_port(), disk.at, root / "state" if apart else None)
        with Nursery() as nursery, Stage(world) as stage:
            stage.start("broker", sys.executable, "-m", "daemon.cli.demo.broker", str(world.port))
            stage.wait_for_port(world.port)
            stage.start("policy", *BWC, "policy", "serve", "--config", str(world.config / "policy.toml"))
            ground = Ground(world, disk.at, nursery, rng)
            try:
                yield ground, disk
            finally:
                ground.listener.stop()
    finally:
        disk.drop()


def _cut_again_and_again(ground: Ground, disk: Disk, count: int, clips: int) -> int:
    cuts = 0
    try:
        ground.record(1)
        if not ground.start():
            return 0
        until(
            lambda: (
                not any((c.pending - {r.name[:-13] for r in (c.folder / "receipts").iterdir()}) for c in ground.cameras)
            ),
            30,
            0.02,
        )
        for _ in range(count):
            ground.record(clips)
            moment(ground)
            if frozen := ground.rng.random() < 0.5:
                ground.freeze()
            if not alive(ground.pid):
                ground.problems.append(f"the dock ended by itself: {ground.log.read_text()[-600:]}")
            disk.cut()
            cuts += 1
            if not frozen:
                time.sleep(ground.rng.uniform(0, 0.02))  # it finds out by itself, or not
            ground.kill()
            disk.unmount()
            ground.harvest()
            disk.mount()
            if not ground.start():
                return cuts
            ground.check()
        ground.settle()
    except BaseException:
        ground.kill()
        raise
    return cuts


def moment(ground: Ground) -> None:
    """Waits for the moment of the next cut: any; after a receipt; after a clip got its place; after its commit."""
    rng = ground.rng
    kind = rng.choice(("any", "placed", "receipt", "committed", "committed"))
    if kind == "any":
        time.sleep(rng.uniform(0, 0.35))
        return
    folder = rng.choice(ground.cameras).folder / "receipts" if kind == "receipt" else ground.vault / "clips"
    end = time.monotonic() + 0.6
    for _ in range(rng.randrange(1, 8)):
        _changed(folder, end)
    if kind == "committed":
        _changed(ground.settings.state / "dock.sqlite-wal", end)
        wait = time.monotonic() + rng.uniform(0, 0.0008)
        while time.monotonic() < wait:
            pass
    else:
        time.sleep(rng.choice((0, rng.uniform(0, 0.003))))


def _changed(path: Path, end: float) -> None:
    before = os.stat(path).st_mtime_ns if path.exists() else 0
    while (not path.exists() or os.stat(path).st_mtime_ns == before) and time.monotonic() < end:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fs", choices=("ext4", "xfs"), default="ext4")
    parser.add_argument("--cuts", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clips", type=int, default=5, help="new clips a camera records between two cuts")
    given = parser.parse_args()
    why = why_not(given.fs)
    if why is not None:
        sys.exit(why)
    print(json.dumps(run(given.cuts, given.seed, given.fs, given.clips)))


if __name__ == "__main__":
    main()
