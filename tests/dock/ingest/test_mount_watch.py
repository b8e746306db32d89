"""The thread that sees cameras come and go: what it sees at once, and what it leaves behind."""

from __future__ import annotations

import os
import queue
from pathlib import Path

import pytest

from daemon.dock.camera.mounts import Docked
from daemon.dock.ingest.mount_watch import MountWatcher
from tests.kit.patience import PATIENCE


class Nobody:
    """A loop that nobody should ask."""

    def fail(self, error: BaseException) -> None:
        raise AssertionError(error)


@pytest.fixture
def seen() -> queue.SimpleQueue[dict[str, Docked]]:
    return queue.SimpleQueue()


def watcher(mounts: Path, seen: queue.SimpleQueue[dict[str, Docked]]) -> MountWatcher:
    return MountWatcher(mounts, Nobody(), seen.put, plain_directories=True)  # type: ignore[arg-type]


def test_a_bay_is_seen_when_it_comes_and_goes(tmp_path: Path, seen: queue.SimpleQueue[dict[str, Docked]]) -> None:
    watch = watcher(tmp_path, seen)
    watch.start()
    try:
        assert seen.get(timeout=PATIENCE) == {}
        (tmp_path / "bay-1").mkdir()
        while set(seen.get(timeout=PATIENCE)) != {"bay-1"}:
            pass
        (tmp_path / "bay-1").rmdir()
        while seen.get(timeout=PATIENCE) != {}:
            pass
    finally:
        watch.stop()


@pytest.mark.parametrize("started", [False, True])
def test_it_leaves_nothing_open(tmp_path: Path, seen: queue.SimpleQueue[dict[str, Docked]], *, started: bool) -> None:
    """A pipe a watcher was left open: after 400 of them a process of tests had no MQTT any more (select(2))."""
    before = len(os.listdir("/proc/self/fd"))
    watch = watcher(tmp_path, seen)
    if started:
        watch.start()
        seen.get(timeout=PATIENCE)
    watch.stop()
    assert len(os.listdir("/proc/self/fd")) == before
