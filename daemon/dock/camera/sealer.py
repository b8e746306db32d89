"""The reader process's sealing: one thread writes, another reads back, so that the camera never waits for the medium.

Clips come in batches: a large clip alone, small ones together, so that one sync makes them all durable. A data key
lives from a clip's first byte until its sealed file was read back from the medium and checked.
"""

from __future__ import annotations

import functools
import os
import queue
import secrets
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from daemon.core import mp4
from daemon.core.pace import Pace
from daemon.dock.camera import byte_path, safe_open
from daemon.dock.camera.byte_path import Written
from daemon.dock.camera.slots import Slot
from daemon.model.errors import BwcError, CameraReadError
from daemon.seal.keys import keyid, parse_open_public
from daemon.seal.wrap import data_key_info, wrap
from daemon.vault import durable

Message = dict[str, Any]
Open = Callable[[Message], int]
"""Opens a clip's footage. Raises CameraReadError."""

_TELL_EVERY = 0.1
_WRITING_SLOTS, _CHECKING_SLOTS = 6, 4


@dataclass
class Sealing:
    """One clip under way: what was asked, and what became of it."""

    command: Message
    data_key: bytes
    playable: bool = False
    written: Written | None = None
    failure: Message | None = None


class ReadLimit:
    """At most so many bytes a second, as told; 0 is no limit."""

    def __init__(self) -> None:
        self.bytes_per_second = 0.0
        self._free_at = 0.0

    def __call__(self, size: int) -> None:
        if self.bytes_per_second > 0:
            now = time.monotonic()
            self._free_at = max(now, self._free_at) + size / self.bytes_per_second
            time.sleep(min(self._free_at - now, 60.0))


class Sealer:
    """Two threads, started with the first batch. `send` may be called from any of them."""

    def __init__(self, open_footage: Open, send: Callable[[Message], None]) -> None:
        self._open = open_footage
        self._send = send
        self.read_limit = ReadLimit()
        self._to_write: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._to_check: queue.SimpleQueue[tuple[int, list[Sealing]]] = queue.SimpleQueue()
        self._started = False

    def begin(self, command: Message) -> None:
        """Queues a batch: `{id, clips}`. Answers `{id, progress}` …, `{id, written}`, and in the end `{id, clips}`."""
        if not self._started:
            self._started = True
            for work in (self._write_batches, self._check_batches):
                threading.Thread(target=_or_end, args=(work,), daemon=True).start()
        self._to_write.put(command)

    def _write_batches(self) -> None:
        slots = byte_path.make_slots(_WRITING_SLOTS)
        while True:
            command = self._to_write.get()
            batch = write_batch(command["clips"], self._open, slots, self._progress(command["id"]), self.read_limit)
            self._send({"id": command["id"], "written": True})
            self._to_check.put((command["id"], batch))

    def _check_batches(self) -> None:
        slots = byte_path.make_slots(_CHECKING_SLOTS)
        while True:
            number, batch = self._to_check.get()
            self._send({"id": number, "clips": check_batch(batch, slots, self._alive(number))})

    def _progress(self, number: int) -> byte_path.Progress:
        return _seldom(lambda done: self._send({"id": number, "progress": done}))

    def _alive(self, number: int) -> Callable[[], None]:
        tell = _seldom(lambda _: self._send({"id": number, "alive": True}))
        return lambda: tell(0)


def write_batch(
    commands: list[Message], open_footage: Open, slots: list[Slot], progress: byte_path.Progress, pace: Pace
) -> list[Sealing]:
    """Writes each clip's sealed file; all that could be written are durable when it returns."""
    batch, done, together = [], 0, len(commands) > 1
    for command in commands:
        sealing = Sealing(command, secrets.token_bytes(32))
        try:
            _write(sealing, open_footage, slots, _after(done, progress), pace, not together)
        except (BwcError, OSError) as error:
            sealing.failure = failure(error)
        done += command["footage"][0]
        batch.append(sealing)
    written = [sealing for sealing in batch if sealing.written]
    if together and written:
        _sync_together(written)
    return batch


def _sync_together(batch: list[Sealing]) -> None:
    started = time.monotonic()
    try:
        durable.sync_filesystem(Path(batch[0].command["target"]).parent)
    except BwcError as error:
        for sealing in batch:
            sealing.failure = failure(error)
    took = time.monotonic() - started
    for sealing in batch:
        if sealing.written is not None:
            sealing.written = replace(sealing.written, sync_seconds=took)


def check_batch(batch: list[Sealing], slots: list[Slot], alive: Callable[[], None]) -> list[Message]:
    """Reads each written clip back, wraps its key once per recipient, and forgets it."""
    return [_check(sealing, slots, alive) for sealing in batch]


def seal_to(source: int, command: Message, slots: list[Slot], progress: byte_path.Progress) -> Message:
    """Seals one open file, whole: written, durable, read back, its fresh data key wrapped and forgotten."""
    data_key = secrets.token_bytes(32)
    sealed = byte_path.seal(source, Path(command["target"]), data_key, command["clip_id"], slots, progress)
    return {"sealed": vars(sealed), "wrapped_keys": _wrapped(data_key, command)}


def failure(error: BwcError | OSError) -> Message:
    """An error as a message; the parent decides what it means."""
    if isinstance(error, BwcError):
        return {"error": type(error).__name__, "message": str(error)}
    return {"error": "OSError", "errno": error.errno, "message": f"{error.strerror}"}


def _write(
    sealing: Sealing,
    open_footage: Open,
    slots: list[Slot],
    progress: byte_path.Progress,
    pace: Pace,
    sync: bool,
) -> None:
    command = sealing.command
    source = open_footage(command)
    try:
        sealing.playable = _inspect(source, command)
        target, key = Path(command["target"]), sealing.data_key
        sealing.written = byte_path.write(
            source, target, key, command["clip_id"], slots, progress, pace=pace, sync=sync
        )
    finally:
        safe_open.close(source)


def _inspect(source: int, command: Message) -> bool:
    """Whether the container is whole. Raises CameraReadError for a file that is no longer the one that was found."""
    try:
        info = os.fstat(source)
        if [info.st_size, info.st_mtime_ns, info.st_ctime_ns] == command["footage"]:
            return mp4.playable(lambda offset, count: os.pread(source, count, offset), info.st_size)
    except OSError as error:
        raise CameraReadError(f"reading failed: {error.strerror}") from error
    raise CameraReadError("the file changed since it was found settled")


def _check(sealing: Sealing, slots: list[Slot], alive: Callable[[], None]) -> Message:
    data_key, sealing.data_key = sealing.data_key, b""
    if sealing.failure is not None or sealing.written is None:
        return sealing.failure or {"error": "BwcError", "message": "nothing was written"}
    try:
        sealed = byte_path.read_back(sealing.written, slots, alive)
        wrapped = _wrapped(data_key, sealing.command)
    except (BwcError, OSError) as error:
        return failure(error)
    return {"playable": sealing.playable, "sealed": vars(sealed), "wrapped_keys": wrapped}


def _wrapped(data_key: bytes, command: Message) -> list[Message]:
    wrapped = []
    for pem in command["recipients"]:
        key, key_id = _recipient(pem)
        info = data_key_info(command["dock_id"], command["clip_id"], command["capture_sha256"], key_id)
        wrapped.append(wrap(data_key, key, info).plain())
    return wrapped


@functools.lru_cache(maxsize=8)
def _recipient(pem: str) -> tuple[EllipticCurvePublicKey, str]:
    """A recipient's key and its keyid: the same few for clip after clip."""
    key = parse_open_public(pem, what="recipient")
    return key, keyid(key)


def _after(before: int, progress: byte_path.Progress) -> byte_path.Progress:
    return lambda done: progress(before + done)


def _seldom(tell: Callable[[int], None]) -> Callable[[int], None]:
    last = 0.0

    def maybe(done: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _TELL_EVERY:
            last = time.monotonic()
            tell(done)

    return maybe


def _or_end(work: Callable[[], None]) -> None:
    """A thread's work. An error nobody foresaw ends the process: the dock learns that its reader is gone."""
    try:
        work()
    except (BrokenPipeError, ConnectionError):
        os._exit(0)  # the dock has let go of us
    except BaseException:  # noqa: BLE001 - nothing may be swallowed
        traceback.print_exc()
        os._exit(1)
