"""Cameras that are alive: they hang, die, lie, go on for ever and change while they are read.

Each case returns what escaped, in words: nothing, when it was met as it should be. A camera's trouble is a
CameraReadError (or, for a receipt, an UnavailableError): it costs one bay, and never stops the dock or blames its disk.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from daemon.core.settle import FileStat
from daemon.dock.camera.handle import ReaderHandle
from daemon.dock.camera.messages import FoundClip, ReaderLimits, SealRequest, SealTarget
from daemon.dock.camera.reader import Reader
from daemon.model.errors import BwcError, CameraReadError, UnavailableError
from tests.hostile import fusefs
from tests.hostile.fusefs import Camera, Hook, SilentError, YankedError
from tests.kit import agency, camera
from tests.kit.agency import CLIP
from tests.kit.inline_dock import InlineReader

LIMITS = ReaderLimits(max_clips=50, max_clip_bytes=1 << 30)
FOOTAGE = bytes(300_000)
_FILES: dict[str, bytes | None] = {
    "camera.json": b"{}",
    "clips": None,
    f"clips/{CLIP}.mp4": FOOTAGE,
    f"clips/{CLIP}.capture.json": b"{}",
}
ERRORS = ("EIO", "ENOSPC", "EDQUOT", "EPERM", "ENOSYS", "ESTALE", "ENOENT", "ENXIO")


def hangs(root: Path, hang_seconds: float = 0.4) -> Iterator[str]:
    """A dozen cameras that never answer, each at another request; one beside them that does is read meanwhile."""
    places = {
        "where a file is looked up": (fusefs.LOOKUP, ""),
        "where one is opened": (fusefs.OPEN, ".mp4"),
        "where its size is asked": (fusefs.GETATTR, ".mp4"),
        "where footage is read": (fusefs.READ, ".mp4"),
        "where camera.json is read": (fusefs.READ, ".json"),
        "where the clips are listed": (fusefs.READDIR, "clips"),
        "where the folder is opened": (fusefs.OPENDIR, "clips"),
    }
    met: list[str] = []
    good = threading.Thread(target=lambda: met.extend(_read_well(root / "good")))
    threads = [
        good,
        *(threading.Thread(target=_hang, args=(root, n, *p, hang_seconds, met)) for n, p in places.items()),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    yield from met


def _hang(root: Path, name: str, opcode: int, suffix: str, hang_seconds: float, met: list[str]) -> None:
    silent = threading.Event()

    def hook(asked: int, path: str, _: bytes) -> None:
        if silent.is_set() and asked == opcode and path.endswith(suffix):
            raise SilentError

    at = root / f"hang {name}"
    with fusefs.mounted(at, Camera(_FILES, hook)):
        handle = ReaderHandle(at, LIMITS, 20.0)
        try:
            clips = handle.scan().clips
            handle.hang_seconds = hang_seconds
            silent.set()
            started = time.monotonic()
            problem = _ask_all(handle, clips, root / f"{name}.sealed")
            if problem != "CameraUnusableError":
                met.append(f"hangs {name}: {problem}")
            if time.monotonic() - started > 20 * hang_seconds:
                met.append(f"hangs {name}: waited {time.monotonic() - started:.1f} s")
        finally:
            handle.close()
    handle.process.join(10)
    if handle.process.is_alive():
        met.append(f"hangs {name}: its reader outlives the camera")


def _read_well(at: Path) -> list[str]:
    with fusefs.mounted(at, Camera(_FILES)):
        handle = ReaderHandle(at, LIMITS, 20.0)
        try:
            problem = _ask_all(handle, handle.scan().clips, at.with_suffix(".sealed"))
        finally:
            handle.close()
    return [] if problem == "" else [f"a good camera beside those that hang: {problem}"]


def _ask_all(handle: Reader, clips: Sequence[FoundClip], target: Path) -> str:
    """Scan, capture and seal; the name of the first error, empty for none."""
    try:
        handle.scan()
        for found in clips:
            camera.capture(handle, found.stem)
            camera.seal(handle, request(found.stem, found.footage, target))
    except BwcError as error:
        return type(error).__name__
    return ""


def request(stem: str, footage: FileStat, target: Path) -> SealRequest:
    target.unlink(missing_ok=True)
    return SealRequest(stem, footage, SealTarget(str(target), CLIP, "dock-1", None, (agency.open_pem("policy"),)))


def fails_at_each_request(root: Path, fault: str, most: int = 200) -> Iterator[str]:
    """The camera's Nth answer is an error, or its cable is pulled, for N = 1, 2, … until no request is hit."""
    for number in range(1, most):
        asked = 0

        def hook(opcode: int, _path: str, _: bytes, number: int = number) -> None:
            nonlocal asked
            asked += opcode != fusefs.INIT
            if asked == number and opcode != fusefs.INIT:
                if fault == "yank":
                    raise YankedError
                raise OSError(getattr(errno, fault), fault)

        at = root / f"fails {fault} {number}"
        with fusefs.mounted(at, Camera(_FILES, hook)):
            yield from _inside(at, f"{fault} at request {number}")
        at.rmdir()
        if asked < number:
            return
    yield f"{fault}: still hit at request {most}"


def _inside(at: Path, what: str, *, refused: bool = False) -> Iterator[str]:
    """Scan, capture and seal, by the reader's code in this process. `refused`: it must not come to the end."""
    try:
        handle = InlineReader(at, LIMITS)
    except OSError:
        return  # gone before there was a reader: its process would end, and say so
    try:
        scan = handle.scan()
        for found in scan.clips:
            camera.capture(handle, found.stem)
            answer = camera.seal(handle, request(found.stem, found.footage, at.with_name("out.sealed")))
            if answer.sealed.size != len(FOOTAGE):
                yield f"{what}: sealed {answer.sealed.size} bytes of {len(FOOTAGE)}"
        if refused:
            yield f"{what}: was believed"
    except CameraReadError:
        pass
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        yield f"{what}: {type(error).__name__}: {error}"
    finally:
        handle.close()


def lies(root: Path) -> Iterator[str]:
    """What no file system says: endless folders, sizes that are not, files that are something else a moment later."""
    for name, hook in _lies().items():
        at = root / f"lies {name}"
        with fusefs.mounted(at, Camera(_FILES, hook)):
            yield from _inside(at, f"lies: {name}", refused=True)


def _lies() -> dict[str, Hook]:
    def attributes(since: int = 3, **changes: int) -> Hook:
        """From the third look (or so) at the footage on, its attributes are others."""
        looks = 0

        def hook(opcode: int, path: str, _: bytes) -> bytes | None:
            nonlocal looks
            if opcode != fusefs.GETATTR or not path.endswith(".mp4"):
                return None
            looks += 1
            return struct.pack("<QII", 0, 0, 0) + _attributes(**changes) if looks >= since else None

        return hook

    def endless(opcode: int, path: str, body: bytes) -> bytes | None:
        if opcode != fusefs.READDIR or path != "clips":
            return None
        offset, size = struct.unpack_from("<QI", body, 8)
        return fusefs.directory([f"{offset + number}.txt" for number in range(100)], offset, size)

    def same_for_ever(opcode: int, path: str, body: bytes) -> bytes | None:
        if opcode != fusefs.READDIR or path != "clips":
            return None
        return fusefs.directory([f"{CLIP}.mp4"] * 50, 0, struct.unpack_from("<QI", body, 8)[1])

    def ends_early(opcode: int, path: str, body: bytes) -> bytes | None:
        if opcode == fusefs.OPEN and path.endswith(".mp4"):
            return struct.pack("<QII", 0, 1, 0)  # FOPEN_DIRECT_IO: the kernel makes up no zeros
        ended = opcode == fusefs.READ and path.endswith(".mp4") and struct.unpack_from("<Q", body, 8)[0] > 0
        return b"" if ended else None

    return {
        "a folder without end": endless,
        "one name without end": same_for_ever,
        "reads that end early": ends_early,
        "a file that shrinks": attributes(size=10),
        "a file that grows": attributes(size=len(FOOTAGE) + 1),
        "a file of 8 EiB": attributes(size=(1 << 63) - 1),
        "a file that becomes a FIFO": attributes(mode=stat.S_IFIFO | 0o644),
        "a file that becomes a device": attributes(mode=stat.S_IFCHR | 0o644),
        "a file that becomes a folder": attributes(mode=stat.S_IFDIR | 0o755),
        "a file that gets a second name": attributes(since=1, links=2),
        "a file changed in between": attributes(changed=99),
    }


def _attributes(size: int = len(FOOTAGE), mode: int = stat.S_IFREG | 0o644, links: int = 1, changed: int = 1) -> bytes:
    node = list(_FILES).index(f"clips/{CLIP}.mp4") + 2
    return struct.pack("<6Q10I", node, size, 1, 1, changed, changed, 0, 0, 0, mode, links, 0, 0, 0, 4096, 0)


class _Meddling:
    """At the first word of progress somebody changes the file being read."""

    def __init__(self, meddle: Callable[[], object]) -> None:
        self._meddle: Callable[[], object] | None = meddle

    def __call__(self, _: int) -> None:
        meddle, self._meddle = self._meddle, None
        if meddle is not None:
            meddle()


def changes_while_read(root: Path) -> Iterator[str]:
    """A file on a plain file system that grows, shrinks or is written to after its first bytes were hashed."""
    bay = root / "changing"
    (bay / "clips").mkdir(parents=True)
    path = bay / "clips" / f"{CLIP}.mp4"
    meddling: dict[str, Callable[[], object]] = {
        "grows": lambda: os.truncate(path, path.stat().st_size + 1),
        "shrinks": lambda: os.truncate(path, path.stat().st_size - 1),
        "is emptied": lambda: os.truncate(path, 0),
        "is written to": lambda: _write(path),
        "gets another time": lambda: os.utime(path, (1, 1)),
        "gets a second name": lambda: os.link(path, bay / "again"),
    }
    for name, meddle in meddling.items():
        path.write_bytes(b"x" * (5 << 20))
        os.utime(path, (2, 2))
        info = path.stat()
        handle = InlineReader(bay, LIMITS)
        footage = FileStat(info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        try:
            camera.seal(handle, request(CLIP, footage, root / "changing.sealed"), _Meddling(meddle))
            yield f"a file that {name} while it is read: it was sealed"
        except CameraReadError:
            pass
        except BwcError as error:
            yield f"a file that {name} while it is read: {error!r}"
        finally:
            handle.close()
            path.unlink()
            (bay / "again").unlink(missing_ok=True)


def _write(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"y")
    os.utime(
        path, (3, 3)
    )  # an honest file system's clock ticks; the attacker's need not, and then what is hashed holds


def a_million_names(root: Path, count: int, most: int) -> Iterator[str]:
    """More files than any camera has, by a real reader: refused in no time, without being held in memory."""
    clips = root / "many" / "clips"
    clips.mkdir(parents=True)
    fd = os.open(clips, os.O_RDONLY | os.O_DIRECTORY)
    for number in range(count):
        os.close(os.open(f"{number:060}.mp4", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)
    handle = ReaderHandle(clips.parent, replace(LIMITS, max_clips=most), 20.0)
    try:
        handle.scan()
        yield f"{count} files were taken for a camera"
    except CameraReadError:
        pass
    except UnavailableError as error:
        yield f"{count} files: {error}"
    finally:
        handle.close()


def quick(root: Path) -> Iterator[str]:
    """A share of it all."""
    yield from hangs(root)
    for fault in ("yank", "EIO"):
        yield from fails_at_each_request(root, fault)
    yield from lies(root)
    yield from changes_while_read(root)
    yield from a_million_names(root, 3000, 1000)


def thorough(root: Path) -> Iterator[str]:
    """All of it: some half a minute."""
    yield from hangs(root)
    for fault in ("yank", *ERRORS):
        yield from fails_at_each_request(root, fault)
    yield from lies(root)
    yield from changes_while_read(root)
    yield from a_million_names(root, 1_000_000, 50_000)
