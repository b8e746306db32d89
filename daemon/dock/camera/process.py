"""The child process that reads one camera's mount: the only code that ever touches it.

It holds no lock, no database and no signing key (a contract of import-linter's); a data key lives for one clip. A mount
that hangs costs this process and one bay. It takes the commands of daemon.dock.camera.messages over a pipe and answers
each under the same id. Sealing goes on beside the other commands (daemon.dock.camera.sealer).
"""

from __future__ import annotations

import errno
import os
import secrets
import signal
import threading
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection

from daemon.core.settle import FileStat
from daemon.dock.camera import safe_open
from daemon.dock.camera.eraser import Eraser
from daemon.dock.camera.file_names import CAPTURE, FOOTAGE, name_of_stem, stem_of_name
from daemon.dock.camera.messages import (
    Alive,
    Answer,
    CapturesRead,
    Erase,
    ErasedFiles,
    Failed,
    Failure,
    FoundClip,
    ReadCaptures,
    ReaderLimits,
    ReceiptsWritten,
    Scan,
    Scanned,
    SealClips,
    SetPace,
    WriteReceipts,
    answer_bytes,
    parse_command,
)
from daemon.dock.camera.sealer import Sealer
from daemon.model.errors import BwcError, CameraReadError
from daemon.seal.core_dumps import forget_in_core_dumps
from daemon.vault import durable

SMALL = 1 << 16
"""The largest camera.json or capture read, in bytes."""


def main(pipe: Connection, mount: str, limits: ReaderLimits) -> None:
    """Serves commands about the camera at `mount` until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the dock decides when to stop
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    forget_in_core_dumps()
    try:
        mount_fd = os.open(mount, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return  # unplugged again; the closed pipe says so
    camera = CameraFiles(mount_fd, limits)
    sending = threading.Lock()

    def send(answer: Answer) -> None:
        with sending:
            pipe.send_bytes(answer_bytes(answer))

    sealer = Sealer(camera.open_footage, send)
    while True:
        try:
            command = parse_command(pipe.recv_bytes())
        except (EOFError, ConnectionError):
            return
        match command:
            case SealClips():
                sealer.begin(command)
            case SetPace():
                sealer.read_limit.bytes_per_second = command.bytes_per_second
            case _:
                send(camera.answer(command, partial(send, Alive(command.id))))


class CameraFiles:
    """The commands about the camera itself, on an open mount."""

    def __init__(self, mount_fd: int, limits: ReaderLimits) -> None:
        self._mount = mount_fd
        self._limits = limits

    def answer(
        self, command: Scan | ReadCaptures | WriteReceipts | Erase, alive: Callable[[], None] = lambda: None
    ) -> Answer:
        """Runs one command. Failures become answers: the parent decides what they mean. Long work calls `alive`."""
        match command:
            case Scan():
                return self._scan(command.id)
            case ReadCaptures():
                return CapturesRead(command.id, {stem: self._capture(stem) for stem in command.stems})
            case WriteReceipts():
                return ReceiptsWritten(command.id, self._write_receipts(command.receipts))
            case Erase():
                eraser = Eraser(self._mount, self._limits.max_clip_bytes, alive)
                return ErasedFiles(command.id, eraser.erase(command.clips))

    def open_footage(self, stem: str) -> int:
        """A clip's footage, opened safely. Raises CameraReadError."""
        return safe_open.open_file(self._mount, _clip(stem, FOOTAGE), limit=self._limits.max_clip_bytes)

    def _capture(self, stem: str) -> bytes | Failure:
        try:
            return safe_open.read_small(self._mount, _clip(stem, CAPTURE), limit=SMALL)
        except (BwcError, OSError) as error:
            return _of_the_camera(error)

    def _scan(self, number: int) -> Scanned | Failed:
        camera: bytes | Failure
        try:
            camera = safe_open.read_small(self._mount, "camera.json", limit=SMALL)
        except CameraReadError as error:
            camera = Failure.of(error)
        try:
            return Scanned(number, camera, self._list_clips())
        except (BwcError, OSError) as error:
            return Failed(number, _of_the_camera(error))

    def _list_clips(self) -> tuple[FoundClip, ...]:
        try:
            fd = safe_open.open_directory(self._mount, "clips")
        except CameraReadError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.ENOENT:
                return ()
            raise
        footage: dict[str, FileStat] = {}
        captures: dict[str, FileStat] = {}
        try:
            with os.scandir(fd) as entries:
                for number, entry in enumerate(entries):
                    if number >= 2 * self._limits.max_clips:
                        raise CameraReadError(f"more than {self._limits.max_clips} clips on one camera")
                    for suffix, found in ((FOOTAGE, footage), (CAPTURE, captures)):
                        if entry.name.endswith(suffix) and entry.name != suffix:
                            self._see(entry, suffix, found)
        except OSError as error:
            raise CameraReadError(f"listing clips: {error.strerror}") from error
        finally:
            safe_open.close(fd)
        return tuple(FoundClip(stem, stat, captures.get(stem)) for stem, stat in sorted(footage.items()))

    def _see(self, entry: os.DirEntry[str], suffix: str, found: dict[str, FileStat]) -> None:
        try:
            info = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return  # the camera erased it between two looks
        stem = stem_of_name(entry.name.removesuffix(suffix))
        found[stem] = FileStat(info.st_size, info.st_mtime_ns, info.st_ctime_ns)

    def _write_receipts(self, receipts: dict[str, bytes]) -> dict[str, Failure]:
        """Those that failed. The others are durable on the camera: temporary names, one sync, renames, one sync of the
        directory; no link is followed.

        On the camera's own medium a failed sync loses nothing of ours: the receipts are written again.
        """
        failed: dict[str, Failure] = {}
        try:
            folder = self._open_receipts()
        except (BwcError, OSError) as error:
            return dict.fromkeys(receipts, _unwritten(error))
        try:
            written = {}
            for stem, data in receipts.items():
                try:
                    written[stem] = _put_aside(folder, data)
                except OSError as error:
                    failed[stem] = _unwritten(error)
            durable.syncfs(folder)
            for stem in _place(folder, written, failed):
                os.unlink(written[stem], dir_fd=folder)
            os.fsync(folder)
            os.fsync(self._mount)
        except (BwcError, OSError) as error:
            return dict.fromkeys(receipts, _unwritten(error))
        finally:
            safe_open.close(folder)
        return failed

    def _open_receipts(self) -> int:
        try:
            os.mkdir("receipts", 0o755, dir_fd=self._mount)
        except FileExistsError:
            pass
        return safe_open.open_directory(self._mount, "receipts")


def _of_the_camera(error: BwcError | OSError) -> Failure:
    """Where only the camera is touched, any trouble is the camera's."""
    if isinstance(error, OSError):
        return Failure("CameraReadError", f"the camera failed: {error.strerror}")
    return Failure.of(error)


def _unwritten(error: BwcError | OSError) -> Failure:
    why = error.strerror if isinstance(error, OSError) else str(error)
    return Failure("UnavailableError", f"the receipt could not be written: {why}")


def _put_aside(folder: int, data: bytes) -> str:
    """A new file in `folder` with this content, not yet durable; returns its name."""
    temporary = f".{secrets.token_hex(8)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o644, dir_fd=folder)
    try:
        try:
            durable.write_all(fd, data)
        finally:
            os.close(fd)
    except OSError:
        os.unlink(temporary, dir_fd=folder)
        raise
    return temporary


def _place(folder: int, written: dict[str, str], failed: dict[str, Failure]) -> list[str]:
    """Gives each receipt its name; returns those that could not get theirs."""
    left = []
    for stem, temporary in written.items():
        try:
            os.rename(temporary, f"{name_of_stem(stem)}.receipt.json", src_dir_fd=folder, dst_dir_fd=folder)
        except OSError as error:
            failed[stem] = _unwritten(error)
            left.append(stem)
    return left


def _clip(stem: str, suffix: str) -> str:
    return f"clips/{name_of_stem(stem)}{suffix}"
