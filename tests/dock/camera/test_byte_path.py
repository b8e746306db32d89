"""The byte path on real files: what comes out is what went in, or nothing does."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import io
import itertools
import os
import random
import re
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.dock.camera import byte_path
from daemon.dock.camera.messages import SealedFile
from daemon.dock.camera.slots import SLOT, Slot, run_stages
from daemon.model.errors import CameraReadError, NotDurableError, TamperedError
from daemon.seal import stream
from daemon.seal.stream import FIRST, PLAIN, SEGMENT
from daemon.vault import durable
from tests.kit.agency import CLIP
from tests.kit.mounting import tmpfs
from tests.seal import tink_peer

KEY = bytes(range(32))
A_SLOT = FIRST + (SLOT // SEGMENT - 1) * PLAIN
FOUR = FIRST + 3 * PLAIN
SIZES = {
    "empty": 0,
    "one byte": 1,
    "a page": 4096,
    "first segment less one": FIRST - 1,
    "first segment": FIRST,
    "first segment and one": FIRST + 1,
    "segment less one": SEGMENT - 1,
    "segment": SEGMENT,
    "segment and one": SEGMENT + 1,
    "a slot less one": A_SLOT - 1,
    "a slot": A_SLOT,
    "a slot and one": A_SLOT + 1,
    "more slots than there are": 4 * SLOT + 3 * SEGMENT + 77,
}


@pytest.fixture(scope="module")
def slots() -> list[Slot]:
    return byte_path.make_slots()


class Bench:
    """A source file, a target, and the pipeline between them."""

    def __init__(self, folder: Path, slots: list[Slot]) -> None:
        self.source, self.target = folder / "a.mp4", folder / "clip.sealed"
        self.slots = slots
        self.progress: list[int] = []

    def record(self, size: int) -> bytes:
        data = random.Random(size).randbytes(size)
        self.source.write_bytes(data)
        return data

    def seal(self, progress: Callable[[int], object] | None = None) -> SealedFile:
        fd, tell = os.open(self.source, os.O_RDONLY), progress or self.progress.append

        def note(done: int) -> None:
            tell(done)

        try:
            return byte_path.seal(fd, self.target, KEY, CLIP, self.slots, note)
        finally:
            os.close(fd)

    def opened(self) -> bytes:
        sealed = self.target.read_bytes()
        return b"".join(bytes(part) for part in stream.decrypt(io.BytesIO(sealed), len(sealed), KEY, CLIP))


@pytest.fixture
def bench(tmp_path: Path, slots: list[Slot]) -> Bench:
    return Bench(tmp_path, slots)


def no_direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that refuses O_DIRECT when a file is opened."""
    real = os.open

    def refusing(path: Path, flags: int, *more: int) -> int:
        if flags & os.O_DIRECT:
            if flags & os.O_CREAT:
                os.close(real(path, flags & ~os.O_DIRECT, *more))  # some create it first, and refuse then
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return real(path, flags, *more)

    monkeypatch.setattr(os, "open", refusing)


def no_direct_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes O_DIRECT, writes some, and then refuses."""
    real, calls = os.pwrite, iter(range(1 << 30))

    def refusing(fd: int, data: memoryview, offset: int) -> int:
        import fcntl

        if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_DIRECT and next(calls) >= 1:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return real(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", refusing)


def no_fallocate(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(_fd: int, _offset: int, _length: int) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "posix_fallocate", refusing)


def short_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads and writes that do less than they were asked to."""
    real_write, real_read = os.pwrite, os.preadv

    def preadv(fd: int, buffers: list[memoryview], offset: int) -> int:
        return real_read(fd, [buffers[0][: max(4096, len(buffers[0]) // 8192 * 4096)]], offset)

    monkeypatch.setattr(
        os, "pwrite", lambda fd, data, at: real_write(fd, data[: max(4096, len(data) // 8192 * 4096)], at)
    )
    monkeypatch.setattr(os, "preadv", preadv)


def as_usual(_monkeypatch: pytest.MonkeyPatch) -> None:
    pass


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_byte_for_byte(bench: Bench, size: int) -> None:
    data = bench.record(size)
    sealed = bench.seal()
    on_disk = bench.target.read_bytes()
    assert sealed.clip_sha256 == hashlib.sha256(data).hexdigest()
    assert sealed.sealed_sha256 == hashlib.sha256(on_disk).hexdigest()
    assert (sealed.size, sealed.sealed_bytes) == (size, len(on_disk)) == (size, stream.sealed_size(size))
    assert bench.opened() == data
    assert tink_peer.open_sealed(on_disk, KEY, CLIP) == data
    assert bench.progress == sorted(bench.progress)
    assert bench.progress[-1] == size


@pytest.mark.parametrize("trouble", [no_direct, no_direct_later, no_fallocate, short_calls], ids=lambda f: f.__name__)
@pytest.mark.parametrize("size", [0, FIRST + 1, FOUR + SEGMENT + 5])
def test_lesser_file_systems(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, trouble: Callable[[pytest.MonkeyPatch], None], size: int
) -> None:
    data = bench.record(size)
    trouble(monkeypatch)
    sealed = bench.seal()
    monkeypatch.undo()
    assert bench.opened() == data
    assert sealed.sealed_sha256 == hashlib.sha256(bench.target.read_bytes()).hexdigest()


def test_a_real_lesser_file_system(tmp_path: Path, slots: list[Slot]) -> None:
    with tmpfs(tmp_path / "vault", "16m") as vault:
        bench = Bench(vault, slots)
        data = bench.record(FOUR + 5)
        bench.seal()
        assert bench.opened() == data


def test_memory_does_not_grow_with_the_clip(bench: Bench) -> None:
    bench.record(3 * len(bench.slots) * SLOT)
    tracemalloc.start()
    try:
        bench.seal()
        assert tracemalloc.get_traced_memory()[1] < 8 * SLOT / 4, "slots are made once, and nothing else is as large"
    finally:
        tracemalloc.stop()


def test_buffers_ask_for_huge_pages() -> None:
    if not Path("/sys/kernel/mm/transparent_hugepage").exists():
        pytest.skip("this kernel has no transparent huge pages")
    slot = Slot()
    address = ctypes.addressof(ctypes.c_char.from_buffer(slot.sealed))
    areas = Path("/proc/self/smaps").read_text().split("VmFlags:")
    for area, flags in itertools.pairwise(areas):
        first, last = (int(end, 16) for end in re.findall(r"^([0-9a-f]+)-([0-9a-f]+) ", area, re.MULTILINE)[0])
        if first <= address < last:
            assert "hg" in flags.split("\n", 1)[0].split()
            return
    pytest.fail("the buffer lies nowhere")


def test_nothing_of_the_clip_stays_in_the_buffers(bench: Bench) -> None:
    data = bench.record(FOUR + FOUR)
    bench.seal()
    for slot in bench.slots:
        assert bytes(slot.plain) == bytes(SLOT)
    bench.target.unlink()
    bench.record(FOUR)
    with pytest.raises(ZeroDivisionError):
        bench.seal(lambda done: 1 // 0)
    assert all(bytes(slot.plain) == bytes(SLOT) for slot in bench.slots)
    assert data


def test_an_existing_target_is_never_touched(bench: Bench) -> None:
    bench.record(5)
    bench.target.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        bench.seal()
    assert bench.target.read_bytes() == b"mine"


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 5)


def change(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"other")
    os.utime(path, ns=(1, 1))


def change_and_hide(path: Path) -> None:
    """Sets the old time again: the time of that change still tells."""
    before = path.stat()
    with path.open("r+b") as file:
        file.write(b"other")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def vanish(path: Path) -> None:
    path.unlink()


def gain_a_name(path: Path) -> None:
    os.link(path, path.with_name("second"))


@pytest.mark.parametrize(
    "happens", [grow, shrink, change, change_and_hide, vanish, gain_a_name], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("size", [4096, FOUR + SEGMENT], ids=["short", "long"])
def test_a_source_that_does_not_hold_still(bench: Bench, size: int, happens: Callable[[Path], None]) -> None:
    bench.record(size)
    once = iter([happens])

    def progress(_done: int) -> None:
        for harm in once:
            harm(bench.source)

    with pytest.raises(CameraReadError):
        bench.seal(progress)


@pytest.mark.parametrize("at", [0, SEGMENT, FOUR + 1])
def test_a_source_that_cannot_be_read(bench: Bench, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    bench.record(FOUR + SEGMENT)
    real = os.preadv

    def failing(fd: int, buffers: list[memoryview], offset: int) -> int:
        if offset + sum(map(len, buffers)) > at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(fd, buffers, offset)

    monkeypatch.setattr(os, "preadv", failing)
    before = set(threading.enumerate())
    with pytest.raises(CameraReadError):
        bench.seal()
    assert not set(threading.enumerate()) - before, "no stage is left running"


def test_an_early_end_that_the_size_does_not_tell(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing camera may answer a read with nothing at all: that is not the end of the clip."""
    bench.record(FOUR + SEGMENT)
    real = os.preadv
    monkeypatch.setattr(os, "preadv", lambda fd, into, at: 0 if at >= SEGMENT else real(fd, [into[0][:SEGMENT]], at))
    with pytest.raises(CameraReadError):
        bench.seal()


def test_a_full_disk(tmp_path: Path, slots: list[Slot]) -> None:
    with tmpfs(tmp_path / "vault", "2m") as vault:
        bench = Bench(tmp_path, slots)
        bench.target = vault / "clip.sealed"
        bench.record(3 * SEGMENT)
        with pytest.raises(OSError, match="space") as caught:
            bench.seal()
        assert caught.value.errno == errno.ENOSPC


def test_a_disk_that_fills_while_writing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.record(2 * FOUR)

    def full(_fd: int, _data: memoryview, offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="space"):
        bench.seal()


def test_an_fsync_that_fails(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.record(5)

    def failing(_fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(NotDurableError):
        bench.seal()


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[str], None]]]:
    """What happens to the sealed file after it was synced, before it is read back."""
    harms: list[Callable[[str], None]] = []
    real = durable.fsync

    def fsync(fd: int, what: str) -> None:
        real(fd, what)
        for harm in harms:
            harm(what)

    monkeypatch.setattr(durable, "fsync", fsync)
    yield harms


@pytest.mark.parametrize("at", [1, 40, SEGMENT - 1, SEGMENT, FOUR + 4000, -1])
def test_bit_rot_before_the_read_back(bench: Bench, between: list[Callable[[str], None]], at: int) -> None:
    bench.record(FOUR + SEGMENT)

    def flip(path: str) -> None:
        with open(path, "r+b") as file:
            file.seek(at, os.SEEK_END if at < 0 else os.SEEK_SET)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 1]))
            file.flush()
            os.fsync(file.fileno())

    between.append(flip)
    with pytest.raises(TamperedError):
        bench.seal()


@pytest.mark.parametrize("missing", [1, 4096, SEGMENT, FOUR])
def test_a_medium_that_lost_the_end(bench: Bench, between: list[Callable[[str], None]], missing: int) -> None:
    bench.record(FOUR + SEGMENT)
    between.append(lambda path: os.truncate(path, os.stat(path).st_size - missing))
    with pytest.raises(TamperedError):
        bench.seal()


def test_whoever_waits_hears_of_the_read_back_too(bench: Bench, between: list[Callable[[str], None]]) -> None:
    bench.record(3 * FOUR)
    between.append(lambda _path: bench.progress.clear())
    bench.seal()
    assert bench.progress == [3 * FOUR] * 6, "once a slot"


class MarkedError(RuntimeError):
    pass


@pytest.mark.parametrize("stage", [0, 1, 2])
@pytest.mark.parametrize("at", [0, 3, 9])
def test_the_first_failure_of_any_stage_ends_them_all(slots: list[Slot], stage: int, at: int) -> None:
    filled = 0

    def fill(slot: Slot) -> bool:
        nonlocal filled
        filled += 1
        slot.length = filled
        return filled == 1000

    handled: list[int] = []

    def work(number: int) -> Callable[[Slot], None]:
        def handle(slot: Slot) -> None:
            if number == stage:
                handled.append(slot.length)
            if number == stage and slot.length == at + 1:
                raise MarkedError

        return handle

    with pytest.raises(MarkedError):
        run_stages(slots, fill, [work(number) for number in range(3)])
    assert filled <= at + 1 + 2 * len(slots)
    assert handled == list(range(1, at + 2)), "nothing is handled after the failure"


def test_every_stage_sees_every_slot_in_order(slots: list[Slot]) -> None:
    seen: list[list[int]] = [[], [], []]
    numbers = iter(range(50))

    def fill(slot: Slot) -> bool:
        slot.length = next(numbers)
        return slot.length == 49

    def watch(number: int) -> Callable[[Slot], None]:
        return lambda slot: seen[number].append(slot.length)

    run_stages(slots, fill, [watch(number) for number in range(3)])
    assert seen == [list(range(50))] * 3
