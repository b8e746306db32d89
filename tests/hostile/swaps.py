"""Names swapped while they are opened: a process renames links and other files over them, as fast as it can.

    run(count, seed) -> {"swaps": n, "escaped": n, "caught": n, "let_through": n, "naive_leaks": n}

Each open is one swap race: half by openat2, half by the walk that stands in for it. `naive_leaks` is how often the
obvious way (lstat, then open) was led outside under the same swapping: were it 0, the race would prove nothing.

Second names of one file (hard links) are not raced: a name can be taken away between opening and counting, which
nothing detects. They cannot lead outside either, for no file has names on two file systems, and a camera is one.
"""

from __future__ import annotations

import json
import os
import random
import signal
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.dock.camera import safe_open
from daemon.model.errors import CameraReadError
from tests.hostile.targets import folder

SECRET = b"secret"
GOOD = b"footage"
_NAIVE = 5000
_ENOSYS = 38


def run(count: int, seed: int) -> dict[str, int]:
    """Takes some 0.2 ms a swap."""
    told = {"swaps": 0, "escaped": 0, "caught": 0, "let_through": 0, "naive_leaks": 0}
    rng = random.Random(seed)
    with folder() as root, _swapping(root, rng.getrandbits(32)) as bay:
        naive = _Naive(bay)
        while told["naive_leaks"] == 0 and naive.tries < 40 * _NAIVE:
            told["naive_leaks"] += sum(naive.leaks() for _ in range(_NAIVE))
        fd = os.open(bay, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for way, share in (("openat2", count // 2), ("walk", count - count // 2)):
                with _by(way):
                    _race(fd, share, told)
        finally:
            os.close(fd)
    return told


def _race(root: int, count: int, told: dict[str, int]) -> None:
    """Files and folders, by turns: what comes out is the footage, or an error that says why not."""
    for number in range(count):
        told["swaps"] += 1
        try:
            content = safe_open.read_small(root, "clips/a.mp4", limit=100) if number % 4 else _folder(root)
        except CameraReadError:
            told["caught"] += 1
            continue
        if content == GOOD:
            told["let_through"] += 1
        else:
            told["escaped"] += 1


def _folder(root: int) -> bytes:
    """The folder that `clips` is, opened as a scan does, or as the receipts' is before it is written to."""
    fd = safe_open.open_directory(root, "clips")
    try:
        return GOOD if "outside" not in os.listdir(fd) else SECRET
    finally:
        os.close(fd)


@contextmanager
def _by(way: str) -> Iterator[None]:
    """openat2, or as where a filter answers ENOSYS in its place."""
    real = safe_open.openat2

    def refused(root: int, path: str, flags: int) -> int:
        raise OSError(_ENOSYS, os.strerror(_ENOSYS))

    if way == "walk":
        safe_open.openat2 = refused
    try:
        yield
    finally:
        safe_open.openat2 = real


class _Naive:
    """What one would write without thinking of it: look whether it is a file, and then open it."""

    def __init__(self, bay: Path) -> None:
        self._path = bay / "clips" / "a.mp4"
        self.tries = 0

    def leaks(self) -> bool:
        self.tries += 1
        try:
            if not stat.S_ISREG(os.lstat(self._path).st_mode):
                return False
            fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)  # or a FIFO would hold it for ever
        except OSError:
            return False
        try:
            return os.read(fd, 100) == SECRET
        finally:
            os.close(fd)


@contextmanager
def _swapping(root: Path, seed: int) -> Iterator[Path]:
    """A mount whose file, and whose folder, are something else from one moment to the next."""
    bay = root / "bay-1"
    (bay / "clips").mkdir(parents=True)
    (bay / "spare").mkdir()
    (root / "away").mkdir()
    (root / "away" / "outside").touch()
    for place in (root / "away", root):
        (place / "a.mp4").write_bytes(SECRET)
    child = os.fork()
    if child == 0:
        try:
            _swap(root, bay, random.Random(seed))
        finally:
            os._exit(0)
    try:
        _await(bay / "clips" / "a.mp4")
        yield bay
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _await(path: Path) -> None:
    end = time.monotonic() + 10
    while not os.path.lexists(path):
        assert time.monotonic() < end, "nobody swaps"


def _swap(root: Path, bay: Path, rng: random.Random) -> None:
    """Until killed. Every state is reached by one rename, so that the name is never missing for long."""
    here, new = bay / "clips" / "a.mp4", bay / "spare" / "new"
    makers: list[Callable[[], object]] = [
        lambda: new.symlink_to(root / "a.mp4"),
        lambda: new.symlink_to("../../a.mp4"),
        lambda: os.mkfifo(new),
        lambda: new.write_bytes(GOOD),
    ]
    while os.getppid() != 1:
        rng.choice(makers)()
        new.rename(here)
        new.write_bytes(GOOD)
        new.rename(here)
        if rng.random() < 0.2:  # the folder on the way becomes a link to one outside
            (bay / "clips").rename(bay / "real")
            (bay / "clips").symlink_to(root / "away")
            (bay / "clips").unlink()
            (bay / "real").rename(bay / "clips")


if __name__ == "__main__":
    import sys

    started = time.monotonic()
    print(json.dumps(run(int(sys.argv[1]), int(sys.argv[2]))), f"{time.monotonic() - started:.1f} s")
