"""A folder is watched: names that come and go wake whoever looks, the looking itself does not."""

from __future__ import annotations

import logging
import os
import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.dock.folder_watch import FolderWatch
from tests.kit.patience import PATIENCE


class Looking:
    """Looks at the folder whenever it is woken, as its owners do: lists it, and reads what lies there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.looks: queue.SimpleQueue[dict[str, bytes | None]] = queue.SimpleQueue()

    def wake(self) -> None:
        found = sorted(self._folder.iterdir())
        self.looks.put({path.name: path.read_bytes() if path.is_file() else None for path in found})

    def until(self, wanted: dict[str, bytes | None]) -> None:
        """Waits for a look that finds this."""
        while self.looks.get(timeout=PATIENCE) != wanted:
            pass


@contextmanager
def watched(folder: Path) -> Iterator[Looking]:
    looking = Looking(folder)
    watch = FolderWatch(folder, looking.wake)
    watch.start()
    try:
        yield looking
    finally:
        watch.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    made.mkdir()
    return made


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "new").mkdir(),
        lambda folder: (folder / "new").touch(),
        lambda folder: (folder / "old").unlink(),
        lambda folder: (folder / "old").rename(folder / "new"),
        lambda folder: (folder.parent / "elsewhere").rename(folder / "new"),
        lambda folder: (folder / "old").rename(folder.parent / "away"),
    ],
    ids=["a directory comes", "a file comes", "one is deleted", "one is renamed", "one moves in", "one moves away"],
)
def test_a_name_that_comes_or_goes_wakes(folder: Path, change: Callable[[Path], object]) -> None:
    (folder.parent / "elsewhere").touch()
    (folder / "old").touch()
    with watched(folder) as looking:
        change(folder)
        assert looking.looks.get(timeout=PATIENCE) is not None


def test_what_was_being_written_wakes_again_when_it_is_complete(folder: Path) -> None:
    with watched(folder) as looking, (folder / "document").open("wb", buffering=0) as file:
        looking.until({"document": b""})
        file.write(b"whole")
        file.close()
        looking.until({"document": b"whole"})


def test_looking_does_not_wake(folder: Path) -> None:
    """Each look would cause the next one, for ever."""
    (folder / "document").write_bytes(b"words")
    with watched(folder) as looking:
        (folder / "a").mkdir()
        assert looking.looks.get(timeout=PATIENCE) == {"a": None, "document": b"words"}
        (folder / "b").mkdir()
        assert set(looking.looks.get(timeout=PATIENCE)) == {"a", "b", "document"}
        (folder / "c").mkdir()
        assert set(looking.looks.get(timeout=PATIENCE)) == {"a", "b", "c", "document"}
    assert looking.looks.empty()


def test_what_lies_deeper_is_not_watched(folder: Path) -> None:
    (folder / "bay-1").mkdir()
    with watched(folder) as looking:
        for number in range(100):
            (folder / "bay-1" / f"clip-{number}").mkdir()
        (folder / "bay-2").mkdir()
        assert "bay-2" in looking.looks.get(timeout=PATIENCE)
    assert looking.looks.empty()


def test_a_folder_that_cannot_be_watched_is_said_and_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watch = FolderWatch(tmp_path / "missing", lambda: None)
    with caplog.at_level(logging.WARNING):
        watch.start()
    [record] = caplog.records
    assert str(tmp_path / "missing") in record.getMessage()
    watch.stop()


@pytest.mark.parametrize("started", [False, True])
def test_it_leaves_nothing_open_and_may_be_stopped_twice(folder: Path, *, started: bool) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    watch = FolderWatch(folder, lambda: None)
    if started:
        watch.start()
    watch.stop()
    watch.stop()
    assert sorted(os.listdir("/proc/self/fd")) == before
