"""The child process that reads one camera's mount: the only code that ever touches it.

It holds no lock, no database and no signing key; a data key lives for one clip. A mount that hangs costs this process
and one bay. It takes commands, JSON objects with an `id` over a pipe, and answers each under the same id:

    scan                                         -> {camera, clips: [[stem, footage, capture], …]}
    captures {stems}                             -> {captures: {stem: {data} or {error}}}
    seal {clips: [{stem, footage, target, …}]}   -> {progress} … {written} … {clips: [{sealed, …} or {error}]}
    receipts {receipts: {stem: data}}            -> {receipts: {stem: {} or {error}}}
    erase {clips: {stem: {footage, sha256}}}     -> {alive} … {erased: {stem: {} or {error}}}
    pace {bytes_per_second}                      -> {}

Sealing goes on beside the other commands (daemon.dock.camera.sealer). `error` names an error class of
daemon.model.errors.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import secrets
import signal
import threading
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from daemon.dock.camera import safe_open
from daemon.dock.camera.eraser import Eraser
from daemon.dock.camera.file_names import CAPTURE, FOOTAGE, name_of, stem_of
from daemon.dock.camera.sealer import Sealer
from daemon.model.errors import BwcError, CameraReadError
from daemon.seal.core_dumps import forget_in_core_dumps
from daemon.vault import durable

Message = dict[str, Any]
SMALL = 1 << 16
"""The largest camera.json or capture read, in bytes."""


def main(pipe: Connection, mount: str, limits: Message) -> None:
    """Serves commands about the camera at `mount` until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the dock decides when to stop
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    forget_in_core_dumps()
    try:
        mount_fd = os.open(mount, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return  # unplugged again; the closed pipe says so
    reader = Reader(mount_fd, limits)
    sending = threading.Lock()

    def send(message: Message) -> None:
        with sending:
            pipe.send_bytes(json.dumps(message).encode())

    sealer = Sealer(reader.open_footage, send)
    while True:
        try:
            command = json.loads(pipe.recv_bytes())
        except (EOFError, ConnectionError):
            return
        match command["do"]:
            case "seal":
                sealer.begin(command)
            case "pace":
                sealer.read_limit.bytes_per_second = command["bytes_per_second"]
            case _:
                alive = partial(send, {"id": command["id"], "alive": True})
                send({"id": command["id"], **reader.answer(command, alive)})


class Reader:
    """The commands about the camera itself, on an open mount."""

    def __init__(self, mount_fd: int, limits: Message) -> None:
        self._mount = mount_fd
        self._limits = limits

    def answer(self, command: Message, alive: Callable[[], None] = lambda: None) -> Message:
        """Runs one command. Failures become messages: the parent decides what they mean. Long work calls `alive`."""
        match command["do"]:
            case "scan":
                return _failing(self._scan)
            case "captures":
                return {"captures": {stem: _failing(partial(self._capture, stem)) for stem in command["stems"]}}
            case "receipts":
                given = {stem: base64.b64decode(data) for stem, data in command["receipts"].items()}
                return {"receipts": self._write_receipts(given)}
            case "erase":
                return {"erased": Eraser(self._mount, self._limits["max_clip_bytes"], alive).erase(command["clips"])}
            case other:
                return {"error": "BwcError", "message": f"unknown command {other!r}"}

    def open_footage(self, command: Message) -> int:
        """A clip's footage, opened safely. Raises CameraReadError."""
        return safe_open.open_file(self._mount, _clip(command["stem"], FOOTAGE), limit=self._limits["max_clip_bytes"])

    def _capture(self, stem: str) -> Message:
        data = safe_open.read_small(self._mount, _clip(stem, CAPTURE), limit=SMALL)
        return {"data": base64.b64encode(data).decode()}

    def _scan(self) -> Message:
        camera: Message = {}
        try:
            data = safe_open.read_small(self._mount, "camera.json", limit=SMALL)
            camera["data"] = base64.b64encode(data).decode()
        except CameraReadError as error:
            camera["message"] = str(error)
        return {"camera": camera, "clips": self._list_clips()}

    def _list_clips(self) -> list[Any]:
        try:
            fd = safe_open.open_directory(self._mount, "clips")
        except CameraReadError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.ENOENT:
                return []
            raise
        footage: dict[str, list[int]] = {}
        captures: dict[str, list[int]] = {}
        try:
            with os.scandir(fd) as entries:
                for number, entry in enumerate(entries):
                    if number >= 2 * self._limits["max_clips"]:
                        raise CameraReadError(f"more than {self._limits['max_clips']} clips on one camera")
                    for suffix, found in ((FOOTAGE, footage), (CAPTURE, captures)):
                        if entry.name.endswith(suffix) and entry.name != suffix:
                            self._see(entry, suffix, found)
        except OSError as error:
            raise CameraReadError(f"listing clips: {error.strerror}") from error
        finally:
            safe_open.close(fd)
        return [[stem, stat, captures.get(stem)] for stem, stat in sorted(footage.items())]

    def _see(self, entry: os.DirEntry[str], suffix: str, found: dict[str, list[int]]) -> None:
        try:
            info = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return  # the camera erased it between two looks
        stem = stem_of(entry.name.removesuffix(suffix))
        found[stem] = [info.st_size, info.st_mtime_ns, info.st_ctime_ns]

    def _write_receipts(self, receipts: dict[str, bytes]) -> Message:
        """Durable on the camera: temporary names, one sync, renames, one sync of the directory; nothing followed.

        On the camera's own medium a failed sync loses nothing of ours: the receipts are written again.
        """
        answers: Message = {stem: {} for stem in receipts}
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
                    answers[stem] = _unwritten(error)
            durable.syncfs(folder)
            for stem in _place(folder, written, answers):
                os.unlink(written[stem], dir_fd=folder)
            os.fsync(folder)
            os.fsync(self._mount)
        except (BwcError, OSError) as error:
            return dict.fromkeys(receipts, _unwritten(error))
        finally:
            safe_open.close(folder)
        return answers

    def _open_receipts(self) -> int:
        try:
            os.mkdir("receipts", 0o755, dir_fd=self._mount)
        except FileExistsError:
            pass
        return safe_open.open_directory(self._mount, "receipts")


def _failing(work: Callable[[], Message]) -> Message:
    """The answer, or the error in its place. Only the camera is touched here, so that any trouble is the camera's."""
    try:
        return work()
    except BwcError as error:
        return {"error": type(error).__name__, "message": str(error)}
    except OSError as error:
        return {"error": "CameraReadError", "message": f"the camera failed: {error.strerror}"}


def _unwritten(error: BwcError | OSError) -> Message:
    why = error.strerror if isinstance(error, OSError) else str(error)
    return {"error": "UnavailableError", "message": f"the receipt could not be written: {why}"}


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


def _place(folder: int, written: dict[str, str], answers: Message) -> list[str]:
    """Gives each receipt its name; returns those that could not get theirs."""
    left = []
    for stem, temporary in written.items():
        try:
            os.rename(temporary, f"{name_of(stem)}.receipt.json", src_dir_fd=folder, dst_dir_fd=folder)
        except OSError as error:
            answers[stem] = _unwritten(error)
            left.append(stem)
    return left


def _clip(stem: str, suffix: str) -> str:
    return f"clips/{name_of(stem)}{suffix}"
