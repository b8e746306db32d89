"""Malformed camera mounts and documents, by the hundred thousand, through the code that meets them.

    run(count, seed) -> {"malformed": n, "mounts": n, "documents": n, "escaped": n, …}

Counted as escaped, and said in words: an error outside the project's own tree, a byte read from outside the mount,
something opened that is no regular file of one name, a change anywhere but in `receipts/`, sealed bytes that are not
those hashed, a case that takes longer than DEADLINE, a reader process that dies, and memory that grows.
"""

from __future__ import annotations

import gc
import hashlib
import io
import json
import logging
import os
import random
import signal
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from daemon.core.settle import FileStat
from daemon.dock.camera import byte_path, safe_open
from daemon.dock.camera.handle import ReaderHandle
from daemon.dock.camera.messages import FoundClip, ReaderLimits, SealRequest, SealResult, SealTarget
from daemon.dock.camera.reader import CameraUnusableError, Reader, ReaderGoneError
from daemon.dock.ingest import captures
from daemon.model.documents import Camera
from daemon.model.errors import BwcError, NotDurableError, TamperedError, VerificationError
from daemon.model.parse import parse_model
from daemon.seal import stream
from daemon.seal.wrap import data_key_info, unwrap
from daemon.vault.space import DiskFullError
from tests.hostile import fusefs, living
from tests.hostile.bays import CANARY, LIMIT, MOST_CLIPS, Bay
from tests.hostile.mutate import mutate
from tests.hostile.targets import REFUSALS, Target, targets
from tests.kit import agency, camera
from tests.kit.agency import CLIP
from tests.kit.inline_dock import InlineReader
from tests.kit.promise import scratch

DEADLINE = 5.0
"""Seconds that no single case may take."""
GROWTH = 24 << 20
"""Bytes that a process may be larger at the end than when everything had been done some thousand times."""
LIMITS = ReaderLimits(MOST_CLIPS, LIMIT)
_MOUNTS = 8
"""One case in so many is a mount, the others are documents."""
_THOROUGH = 50_000
"""A run of so many meets the cameras of `living` too, all of them."""
_CHILD = 25
"""One mount in so many is read by a real reader process."""
_VAULT = (NotDurableError, TamperedError, DiskFullError)
"""What stops the dock, or blames its disk: never a camera's doing."""


class TooLong(BaseException):
    """Raised where a case is when its time is up."""


class Case:
    """What must hold, counted."""

    def __init__(self) -> None:
        self.escapes: list[str] = []
        self.sealed = 0

    def must(self, holds: bool, what: str) -> None:
        if not holds:
            self.escapes.append(what)

    @contextmanager
    def guarded(self, what: str, allowed: tuple[type[BaseException], ...]) -> Iterator[None]:
        """Within the deadline, and raising nothing but what is `allowed`."""
        signal.setitimer(signal.ITIMER_REAL, DEADLINE)
        try:
            yield
        except allowed:
            pass
        except TooLong:
            self.escapes.append(f"{what}: still at it after {DEADLINE} s")
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            self.escapes.append(f"{what}: {type(error).__name__}: {error}")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def run(count: int, seed: int) -> dict[str, int]:
    """`count` malformed inputs, made from `seed`. Takes some 3 ms each."""
    case = Case()
    mounts = count // _MOUNTS
    before = signal.signal(signal.SIGALRM, _alarm)
    logging.disable(logging.CRITICAL)
    try:
        documents = _documents(count - mounts, seed, case)
        inside = _mounts(mounts - mounts // _CHILD, seed + 1, case)
        outside = _children(mounts // _CHILD, seed + 2, case)
        if count >= _THOROUGH:
            case.escapes += _living()
    finally:
        logging.disable(logging.NOTSET)
        signal.signal(signal.SIGALRM, before)
    for what in case.escapes[:20]:
        print(f"escaped: {what}", flush=True)
    return {
        "malformed": documents + inside + outside,
        "documents": documents,
        "mounts": inside + outside,
        "read_by_a_child": outside,
        "sealed": case.sealed,
        "escaped": len(case.escapes),
    }


def _living() -> list[str]:
    if not fusefs.possible():
        print("cameras that are alive are left out: mounting FUSE needs root and /dev/fuse", flush=True)
        return []
    with scratch() as root:
        return list(living.thorough(root))


def _alarm(*_: object) -> None:
    raise TooLong


# documents


def _documents(count: int, seed: int, case: Case) -> int:
    rng = random.Random(seed)
    with targets() as made:
        order = list(made.values())
        memory = _Memory(count, f"{count} documents", case)
        for number in range(count):
            _document(order[number % len(order)], rng, case)
            memory.look(number)
        memory.judge()
    return count


def _document(target: Target, rng: random.Random, case: Case) -> None:
    data = mutate(rng, rng.choice(target.seeds))
    with case.guarded(f"{target.name} {data[:200]!r}", REFUSALS):
        target.take(data)


class _Memory:
    """This process's size when warm and at the end."""

    def __init__(self, count: int, what: str, case: Case) -> None:
        self._warm_at, self._what, self._case = count // 3, what, case
        self._warm = 0

    def look(self, number: int) -> None:
        if number == self._warm_at:
            self._warm = resident(os.getpid())

    def judge(self) -> None:
        grown = resident(os.getpid()) - self._warm
        self._case.must(grown <= GROWTH, f"memory grew by {grown} bytes over {self._what}")


def resident(pid: int) -> int:
    """A process's resident memory in bytes; our own after collecting what is garbage."""
    if pid == os.getpid():
        gc.collect()
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# mounts


def _mounts(count: int, seed: int, case: Case) -> int:
    slots = byte_path.make_slots()
    with scratch() as root, _watched(case):
        memory = _Memory(count, f"{count} mounts", case)
        for number in range(count):
            bay = Bay(root, random.Random(seed * 1_000_003 + number))
            bay.build()
            handle = InlineReader(bay.path, LIMITS, slots=slots)
            try:
                _read(bay, handle, f"mount {number} {bay.done}", case)
            finally:
                handle.close()
            memory.look(number)
        memory.judge()
    return count


@contextmanager
def _watched(case: Case) -> Iterator[None]:
    """Whatever `safe` hands out is looked at once more."""
    real = safe_open.open_file

    def open_file(root: int, path: str, *, limit: int) -> int:
        fd = real(root, path, limit=limit)
        info = os.fstat(fd)
        good = stat.S_ISREG(info.st_mode) and info.st_nlink == 1 and info.st_size <= limit
        case.must(good and info.st_dev == os.fstat(root).st_dev, f"opened {path!r}: {info}")
        return fd

    safe_open.open_file = open_file
    try:
        yield
    finally:
        safe_open.open_file = real


def _read(bay: Bay, handle: Reader, what: str, case: Case) -> None:
    """All that a dock does with a camera, as far as it lets itself be read."""
    before = _world(bay)
    clips: list[FoundClip] = []
    with case.guarded(f"{what}: scan", (BwcError,)):
        scan = handle.scan()
        clips = list(scan.clips)
        if isinstance(scan.camera, bytes):
            case.must(CANARY not in scan.camera, f"{what}: camera.json gave the secret away")
            _parse_camera(scan.camera)
    if CLIP not in {found.stem for found in clips}:
        clips.append(FoundClip(CLIP, FileStat(len(CANARY), 0, 0), None))  # as if it had been there a moment ago
    for found in sorted(clips, key=lambda found: found.stem != CLIP)[:3]:
        _read_clip(bay, handle, found.stem, found.footage, f"{what}: {found.stem!r}", case)
    case.must(_world(bay) == before, f"{what}: something outside receipts/ changed")


def _parse_camera(data: bytes) -> None:
    try:
        parse_model(Camera, data, what="camera.json")
    except VerificationError:
        pass


def _read_clip(bay: Bay, handle: Reader, stem: str, footage: FileStat, what: str, case: Case) -> None:
    with case.guarded(f"{what}: capture", (BwcError,)):
        data = camera.capture(handle, stem)
        case.must(CANARY not in data, f"{what}: the capture gave the secret away")
        captures.read_capture(_TRUST, data, "cam-1", stem, agency.NOW)
    if bay.rng.random() < 0.1:
        footage = replace(footage, size=footage.size + 1)  # the file changed since it was found settled
    target = bay.root / "clip.sealed"
    target.unlink(missing_ok=True)
    request = SealRequest(stem, footage, SealTarget(str(target), CLIP, "dock-1", None, (agency.open_pem("policy"),)))
    with case.guarded(f"{what}: seal", (BwcError,)):
        try:
            answer = camera.seal(handle, request)
        except _VAULT as error:
            raise AssertionError(f"the vault is blamed: {error}") from error
        case.sealed += 1
        _check_sealed(target, answer, what, case)
    with case.guarded(f"{what}: receipt", (BwcError,)):
        camera.receipt(handle, b"receipt", stem)


def _check_sealed(target: Path, answer: SealResult, what: str, case: Case) -> None:
    """What was sealed is what was hashed, and is not the secret."""
    wrapped = answer.wrapped_keys[0]
    info = data_key_info("dock-1", CLIP, None, wrapped.recipient)
    data_key = unwrap(wrapped, agency.open_key("policy"), info)
    sealed = target.read_bytes()
    plain = b"".join(map(bytes, stream.decrypt(io.BytesIO(sealed), len(sealed), data_key, CLIP)))
    case.must(CANARY not in plain, f"{what}: the secret was sealed")
    case.must(hashlib.sha256(plain).hexdigest() == answer.sealed.clip_sha256, f"{what}: other bytes sealed than hashed")


_TRUST = agency.trust()


def _world(bay: Bay) -> list[tuple[object, ...]]:
    """Everything outside `receipts/`, as it is: a byte written anywhere would show."""
    found: list[tuple[object, ...]] = []
    for base in (bay.outside, bay.path):
        for folder, folders, files in os.walk(base):
            if folder == str(bay.path):
                folders[:] = [name for name in folders if name != "receipts"]
                files = [name for name in files if name != "receipts"]
            for name in (*folders, *files):
                path = os.path.join(folder, name)
                if path == str(bay.path / "receipts"):
                    continue
                info = os.lstat(path)
                changed = (info.st_size, info.st_mtime_ns) if not stat.S_ISDIR(info.st_mode) else ()
                found.append((path, info.st_mode, info.st_ino, *changed))
    return sorted(found, key=lambda one: str(one[0]))


# the same, by a real reader process


def _children(count: int, seed: int, case: Case) -> int:
    done = 0
    with scratch() as root:
        bay = Bay(root, random.Random(seed))
        bay.path.mkdir()
        while done < count:
            batch = min(100, count - done)
            _child(bay, range(done, done + batch), seed, case)
            done += batch
    return count


def _child(bay: Bay, numbers: range, seed: int, case: Case) -> None:
    """One reader process and a camera that is another one each time it looks."""
    handle = ReaderHandle(bay.path, LIMITS, DEADLINE * 2)
    warm = 0
    try:
        with case.guarded("a reader process starts", (BwcError,)):
            handle.scan()
        assert handle.process.pid is not None
        for number in numbers:
            bay.rng, bay.done = random.Random(seed * 1_000_003 + number), []
            bay.empty()
            bay.fill()
            for _ in range(bay.rng.choice((1, 2, 3))):
                bay.twist()
            what = f"mount {number} {bay.done} in a child"
            _read(bay, cast(ReaderHandle, _Answering(handle, what, case)), what, case)
            if number == numbers[len(numbers) // 3]:
                warm = resident(handle.process.pid)
        case.must(handle.process.is_alive(), "the reader process died")
        grown = resident(handle.process.pid) - warm
        case.must(grown <= GROWTH, f"the reader process grew by {grown} bytes over {len(numbers)} mounts")
    finally:
        handle.close()


class _Answering:
    """A reader process that must never go away, whatever it is asked to read."""

    def __init__(self, handle: Reader, what: str, case: Case) -> None:
        self._handle = handle
        self._what = what
        self._case = case

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._handle, name)

        def ask(*given: Any) -> Any:
            try:
                return asked(*given)
            except (ReaderGoneError, CameraUnusableError) as error:
                self._case.must(False, f"{self._what}: {error}")
                raise

        return ask


if __name__ == "__main__":
    import sys

    started = time.monotonic()
    print(json.dumps(run(int(sys.argv[1]), int(sys.argv[2]))), f"{time.monotonic() - started:.1f} s")
