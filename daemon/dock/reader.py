"""The child process that reads one camera's mount: the only code that ever touches it.

It holds no lock, no database and no signing key; a data key lives for one clip. A mount that hangs costs this process
and one bay. It answers commands, JSON objects over a pipe, one at a time:

    scan                                     -> {camera, clips: [[stem, footage, capture], …]}
    capture {stem}                           -> {data}
    seal {stem, footage, target, clip_id, …} -> {progress} … {sealed, wrapped_keys, playable}
    receipt {stem, data}                     -> {}

Every answer is one object; `error` in it names an error class of daemon.model.errors.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import secrets
import signal
import time
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from daemon.core import mp4
from daemon.dock import pipeline, safe
from daemon.dock.stages import Slot
from daemon.model.errors import BwcError, CameraReadError, UnavailableError
from daemon.seal.keys import forget_in_core_dumps, keyid, parse_open_public
from daemon.seal.wrap import data_key_info, wrap
from daemon.vault import durable

Message = dict[str, Any]
SMALL = 1 << 16
"""The largest camera.json or capture read, in bytes."""

_PROGRESS_EVERY = 0.1
_FOOTAGE, _CAPTURE = ".mp4", ".capture.json"
_BYTES = "bytes:"


def main(pipe: Connection, mount: str, limits: Message) -> None:
    """Serves commands about the camera at `mount` until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the dock decides when to stop
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    forget_in_core_dumps()
    try:
        mount_fd = os.open(mount, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return  # unplugged again; the closed pipe says so
    reader = Reader(pipe, mount_fd, limits)
    while True:
        try:
            command = json.loads(pipe.recv_bytes())
        except (EOFError, ConnectionError):
            return
        reader.send(reader.answer(command))


class Reader:
    """The commands, on an open mount."""

    def __init__(self, pipe: Connection, mount_fd: int, limits: Message) -> None:
        self._pipe = pipe
        self._mount = mount_fd
        self._limits = limits
        self._slots: list[Slot] = []

    def send(self, message: Message) -> None:
        self._pipe.send_bytes(json.dumps(message).encode())

    def answer(self, command: Message) -> Message:
        """Runs one command. Failures become messages: the parent decides what they mean."""
        try:
            match command["do"]:
                case "scan":
                    return self._scan()
                case "capture":
                    data = safe.read_small(self._mount, _clip(command["stem"], _CAPTURE), limit=SMALL)
                    return {"data": base64.b64encode(data).decode()}
                case "seal":
                    return self._seal(command)
                case "receipt":
                    self._write_receipt(command["stem"], base64.b64decode(command["data"]))
                    return {}
                case other:
                    return {"error": "BwcError", "message": f"unknown command {other!r}"}
        except BwcError as error:
            return {"error": type(error).__name__, "message": str(error)}
        except OSError as error:
            if command["do"] != "seal":  # only sealing touches the vault; all else is the camera's own trouble
                return {"error": "CameraReadError", "message": f"the camera failed: {error.strerror}"}
            return {"error": "OSError", "errno": error.errno, "message": f"{error.strerror}"}

    def _scan(self) -> Message:
        camera: Message = {}
        try:
            data = safe.read_small(self._mount, "camera.json", limit=SMALL)
            camera["data"] = base64.b64encode(data).decode()
        except CameraReadError as error:
            camera["message"] = str(error)
        return {"camera": camera, "clips": self._list_clips()}

    def _list_clips(self) -> list[Any]:
        try:
            fd = safe.open_directory(self._mount, "clips")
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
                    for suffix, found in ((_FOOTAGE, footage), (_CAPTURE, captures)):
                        if entry.name.endswith(suffix) and entry.name != suffix:
                            self._see(entry, suffix, found)
        except OSError as error:
            raise CameraReadError(f"listing clips: {error.strerror}") from error
        finally:
            safe.close(fd)
        return [[stem, stat, captures.get(stem)] for stem, stat in sorted(footage.items())]

    def _see(self, entry: os.DirEntry[str], suffix: str, found: dict[str, list[int]]) -> None:
        try:
            info = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return  # the camera erased it between two looks
        stem = stem_of(entry.name.removesuffix(suffix))
        found[stem] = [info.st_size, info.st_mtime_ns, info.st_ctime_ns]

    def _seal(self, command: Message) -> Message:
        if not self._slots:
            self._slots = pipeline.make_slots()
        source = safe.open_file(self._mount, _clip(command["stem"], _FOOTAGE), limit=self._limits["max_clip_bytes"])
        try:
            info = _stat(source)
            if [info.st_size, info.st_mtime_ns, info.st_ctime_ns] != command["footage"]:
                raise CameraReadError("the file changed since it was found settled")
            playable = _playable(source, info.st_size)
            return {"playable": playable, **seal_to(source, command, self._slots, self._progress())}
        finally:
            safe.close(source)

    def _progress(self) -> pipeline.Progress:
        last = 0.0

        def progress(done: int) -> None:
            nonlocal last
            if time.monotonic() - last >= _PROGRESS_EVERY:
                last = time.monotonic()
                self.send({"progress": done})

        return progress

    def _write_receipt(self, stem: str, data: bytes) -> None:
        """Durable on the camera: a temporary name, fsync, rename, fsync of the directory; nothing followed."""
        try:
            try:
                os.mkdir("receipts", 0o755, dir_fd=self._mount)
            except FileExistsError:
                pass
            folder = safe.open_directory(self._mount, "receipts")
            try:
                _put(folder, f"{name_of(stem)}.receipt.json", data)
            finally:
                os.close(folder)
            os.fsync(self._mount)
        except OSError as error:
            # on the camera's own medium a failed fsync loses nothing of ours: the receipt is written again
            raise UnavailableError(f"the receipt could not be written: {error.strerror}") from error


def seal_to(source: int, command: Message, slots: list[Slot], progress: pipeline.Progress) -> Message:
    """Seals an open file under a fresh data key, wraps the key once per recipient, and forgets it."""
    data_key = secrets.token_bytes(32)
    sealed = pipeline.seal(source, Path(command["target"]), data_key, command["clip_id"], slots, progress)
    wrapped = []
    for pem in command["recipients"]:
        key = parse_open_public(pem, what="recipient")
        info = data_key_info(command["dock_id"], command["clip_id"], command["capture_sha256"], keyid(key))
        wrapped.append(wrap(data_key, key, info).plain())
    return {"sealed": asdict(sealed), "wrapped_keys": wrapped}


def _playable(source: int, size: int) -> bool:
    try:
        return mp4.playable(lambda offset, count: os.pread(source, count, offset), size)
    except OSError as error:
        raise CameraReadError(f"reading failed: {error.strerror}") from error


def _stat(source: int) -> os.stat_result:
    try:
        return os.fstat(source)
    except OSError as error:
        raise CameraReadError(f"reading failed: {error.strerror}") from error


def _put(folder: int, name: str, data: bytes) -> None:
    """The file `name` in `folder` is `data` and durable, or as it was."""
    temporary = f".{secrets.token_hex(8)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o644, dir_fd=folder)
    try:
        try:
            durable.write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.unlink(temporary, dir_fd=folder)
        raise
    os.fsync(folder)


def _clip(stem: str, suffix: str) -> str:
    return f"clips/{name_of(stem)}{suffix}"


def stem_of(name: str) -> str:
    """A clip's file name as text that everything takes. Bytes that are no UTF-8 (an attacker's) are spelled in hex."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return _BYTES + os.fsencode(name).hex()
    return _BYTES + name.encode().hex() if name.startswith(_BYTES) else name


def name_of(stem: str) -> str:
    """The inverse of `stem_of`."""
    return os.fsdecode(bytes.fromhex(stem.removeprefix(_BYTES))) if stem.startswith(_BYTES) else stem
