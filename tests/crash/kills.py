"""kill -9 of the dock, of its readers, of their fork server, at any moment, with cameras docking throughout.

python -m tests.crash.kills --kills 200 --seed 1
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from daemon.cli.demo.stage import BWC, Stage, free_port
from tests.crash.power import Ground, moment, send
from tests.kit.promise import Nursery, alive, group, make_world, scratch, until

KINDS = ("all", "all", "dock", "reader", "fork server")


@contextmanager
def ground(root: Path, rng: random.Random, **ingest: Any) -> Iterator[Ground]:
    """Broker, policy service and two cameras; the dock is started by whoever wants it."""
    disk = root / "disk"
    disk.mkdir(parents=True)
    world = make_world(root / "world", free_port(), disk, **ingest)
    with Nursery() as nursery, Stage(world) as stage:
        stage.start("broker", sys.executable, "-m", "daemon.cli.demo.broker", str(world.port))
        stage.wait_for_port(world.port)
        stage.start("policy", *BWC, "policy", "serve", "--config", str(world.config / "policy.toml"))
        made = Ground(world, disk, nursery, rng)
        try:
            yield made
        finally:
            made.listener.stop()
            if made.pid and alive(made.pid):
                made.kill()


def children(leader: int) -> tuple[list[int], list[int]]:
    """The dock's fork server (its own child), and the readers (that one's children)."""
    servers: list[int] = []
    readers: list[int] = []
    for pid in group(leader):
        if pid == leader:
            continue
        try:
            parent = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        (servers if parent == leader else readers).append(pid)
    return servers, readers


def run(count: int, seed: int, clips: int = 4) -> dict[str, object]:
    """`count` kills."""
    rng = random.Random(seed)
    started = time.monotonic()
    tally: Counter[str] = Counter()
    with scratch() as root, ground(root, rng) as made:
        made.record(1)
        if made.start():
            until(lambda: all(list((c.folder / "receipts").iterdir()) for c in made.cameras), 30, 0.02)
            going = True
            while going and tally.total() < count:
                going = _cycle(made, tally, clips)
            if going:
                made.settle()
    return {
        "kills": tally.total(),
        "lost": len(made.problems),
        "clips": len(made.recorded),
        "of": dict(tally),
        "problems": made.problems[:10],
        "seconds": round(time.monotonic() - started, 1),
    }


def _cycle(made: Ground, tally: Counter[str], clips: int) -> bool:
    """One kill, while cameras come and go; the dock is up again after it."""
    rng = made.rng
    made.record(clips)
    for camera in made.cameras:
        if rng.random() < 0.3:
            camera.undock()
            time.sleep(rng.uniform(0, 0.05))
            camera.dock()
    moment(made)
    kind = rng.choice(KINDS)
    if not alive(made.pid):
        made.problems.append(f"the dock ended by itself: {made.log.read_text()[-600:]}")
    servers, readers = children(made.pid)
    victims = {"reader": readers, "fork server": servers}.get(kind)
    if victims is not None:
        if victims:
            send(rng.choice(victims), signal.SIGKILL)
            tally[kind] += 1
        made.harvest()
        made.check()
        return True
    tally[kind] += 1
    orphaned = made.pid
    if kind == "all":
        made.kill()
    else:
        send(made.pid, signal.SIGKILL)
        made.nursery.wait(made.pid)
    made.harvest()
    if not made.start():
        return False
    made.check()
    if not until(lambda: not group(orphaned), 10, 0.01):
        made.problems.append(f"processes outlive their dock: {group(orphaned)}")
    return True


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    result = run(given.kills, given.seed)
    print(json.dumps(result))
    return 1 if result["lost"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
