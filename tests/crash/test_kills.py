"""kill -9 at random, SIGSTOP and SIGCONT. The long share: python -m tests.crash.kills"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import kills
from tests.crash.power import Ground, send
from tests.kit.promise import alive, group, until

pytestmark = pytest.mark.xdist_group("kills")


def test_what_has_a_receipt_survives_kill_9() -> None:
    result = kills.run(5, 3)
    assert result["problems"] == []
    assert (result["kills"], result["lost"]) == (5, 0)


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    with kills.ground(tmp_path / "ground", random.Random(1), hang_seconds=1.5) as made:
        yield made


def receipts(made: Ground, number: int) -> set[str]:
    return {path.name[:-13] for path in (made.cameras[number].folder / "receipts").glob("*.receipt.json")}


def test_a_frozen_dock_and_a_frozen_reader_lose_nothing(ground: Ground) -> None:
    assert ground.start()
    ground.record(5)
    assert until(lambda: receipts(ground, 0), 90)
    ground.freeze()  # all of the dock: longer than a reader may be silent
    time.sleep(2)
    for pid in group(ground.pid):
        send(pid, signal.SIGCONT)
    for camera in ground.cameras:
        camera.record(1000)
    assert until(lambda: all(receipts(ground, n) == ground.cameras[n].pending for n in (0, 1)), 90)

    _, readers = kills.children(ground.pid)
    assert len(readers) == 2
    for reader in readers:  # a camera that hangs in the kernel looks like this
        send(reader, signal.SIGSTOP)
    names = [camera.record(1000) for camera in ground.cameras]
    assert until(lambda: not any(alive(reader) for reader in readers), 90), "a silent reader is ended"
    assert alive(ground.pid)
    assert not any(name in receipts(ground, number) for number, name in enumerate(names))
    for camera in ground.cameras:
        camera.undock()
    time.sleep(2.5)  # longer than between two looks at the bays
    for camera in ground.cameras:
        camera.dock()
    ground.settle(30)
    assert ground.problems == []
