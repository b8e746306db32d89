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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from daemon.core import mp4
from daemon.core.pacing import Pace
from daemon.core.settle import FileStat
from daemon.dock.camera import byte_path, safe_open
from daemon.dock.camera.byte_path import WrittenFile
from daemon.dock.camera.messages import (
    Alive,
    Answer,
    BatchSealed,
    Failure,
    Progress,
    SealClips,
    SealedFile,
    SealRequest,
    SealResult,
    SealTarget,
    Written,
)
from daemon.dock.camera.slots import Slot
from daemon.model.errors import BwcError, CameraReadError
from daemon.model.statements import WrappedKey
from daemon.seal.keys import keyid, parse_open_public
from daemon.seal.wrap import data_key_info, wrap
from daemon.vault import durable

OpenFootage = Callable[[str], int]
"""Opens the footage of the clip with this stem. Raises CameraReadError."""

_TELL_EVERY = 0.1
_WRITING_SLOTS, _CHECKING_SLOTS = 6, 4


@dataclass
class ClipInProgress:
    """One clip being sealed: what was asked, and what became of it so far."""

    request: SealRequest
    data_key: bytes
    playable: bool = False
    written: WrittenFile | None = None
    failure: Failure | None = None


class ReadLimit:
    """At most so many bytes a second, as told; 0 is no limit."""

    def __init__(self) -> None:
        self.bytes_per_second = 0.0
        self._free_at = 0.0

    def __call__(self, size: int) -> None:
        """Waits as long as reading `size` bytes may take."""
        if self.bytes_per_second > 0:
            now = time.monotonic()
            self._free_at = max(now, self._free_at) + size / self.bytes_per_second
            time.sleep(min(self._free_at - now, 60.0))


class Sealer:
    """Two threads, started with the first batch. `send` may be called from any of them."""

    def __init__(self, open_footage: OpenFootage, send: Callable[[Answer], None]) -> None:
        self._open = open_footage
        self._send = send
        self.read_limit = ReadLimit()
        self._to_write: queue.SimpleQueue[SealClips] = queue.SimpleQueue()
        self._to_check: queue.SimpleQueue[tuple[int, list[ClipInProgress]]] = queue.SimpleQueue()
        self._started = False

    def begin(self, command: SealClips) -> None:
        """Queues a batch. It is answered with Progress, then Written, Alive, and in the end BatchSealed."""
        if not self._started:
            self._started = True
            for work in (self._write_batches, self._check_batches):
                threading.Thread(target=_or_end, args=(work,), daemon=True).start()
        self._to_write.put(command)

    def _write_batches(self) -> None:
        slots = byte_path.make_slots(_WRITING_SLOTS)
        while True:
            command = self._to_write.get()
            batch = write_batch(command.clips, self._open, slots, self._progress(command.id), self.read_limit)
            self._send(Written(command.id))
            self._to_check.put((command.id, batch))

    def _check_batches(self) -> None:
        slots = byte_path.make_slots(_CHECKING_SLOTS)
        while True:
            number, batch = self._to_check.get()
            self._send(BatchSealed(number, check_batch(batch, slots, self._alive(number))))

    def _progress(self, number: int) -> byte_path.Progress:
        return _seldom(lambda done: self._send(Progress(number, done)))

    def _alive(self, number: int) -> Callable[[], None]:
        tell = _seldom(lambda _: self._send(Alive(number)))
        return lambda: tell(0)


def write_batch(
    requests: Sequence[SealRequest],
    open_footage: OpenFootage,
    slots: list[Slot],
    progress: byte_path.Progress,
    pace: Pace,
) -> list[ClipInProgress]:
    """Writes each clip's sealed file; all that could be written are durable when it returns."""
    batch, done, together = [], 0, len(requests) > 1
    for request in requests:
        clip = ClipInProgress(request, secrets.token_bytes(32))
        try:
            _write(clip, open_footage, slots, _after(done, progress), pace, not together)
        except (BwcError, OSError) as error:
            clip.failure = Failure.of(error)
        done += request.footage.size
        batch.append(clip)
    written = [clip for clip in batch if clip.written]
    if together and written:
        _sync_together(written)
    return batch


def _sync_together(batch: list[ClipInProgress]) -> None:
    started = time.monotonic()
    try:
        durable.sync_filesystem(Path(batch[0].request.target.path).parent)
    except BwcError as error:
        for clip in batch:
            clip.failure = Failure.of(error)
    took = time.monotonic() - started
    for clip in batch:
        if clip.written is not None:
            clip.written = replace(clip.written, sync_seconds=took)


def check_batch(
    batch: list[ClipInProgress], slots: list[Slot], alive: Callable[[], None]
) -> tuple[SealResult | Failure, ...]:
    """Reads each written clip back, wraps its key once per recipient, and forgets it."""
    return tuple(_check(clip, slots, alive) for clip in batch)


def seal_one(
    source: int, target: SealTarget, slots: list[Slot], progress: byte_path.Progress
) -> tuple[SealedFile, tuple[WrappedKey, ...]]:
    """Seals one open file, whole: written, durable, read back, its fresh data key wrapped and forgotten."""
    data_key = secrets.token_bytes(32)
    sealed = byte_path.seal(source, Path(target.path), data_key, target.clip_id, slots, progress)
    return sealed, _wrap_to_all(data_key, target)


def _write(
    clip: ClipInProgress,
    open_footage: OpenFootage,
    slots: list[Slot],
    progress: byte_path.Progress,
    pace: Pace,
    sync: bool,
) -> None:
    request = clip.request
    source = open_footage(request.stem)
    try:
        clip.playable = _inspect(source, request.footage)
        path, key, clip_id = Path(request.target.path), clip.data_key, request.target.clip_id
        clip.written = byte_path.write(source, path, key, clip_id, slots, progress, pace=pace, sync=sync)
    finally:
        safe_open.close(source)


def _inspect(source: int, footage: FileStat) -> bool:
    """Whether the container is whole. Raises CameraReadError for a file that is no longer the one that was found."""
    try:
        info = os.fstat(source)
        if FileStat(info.st_size, info.st_mtime_ns, info.st_ctime_ns) == footage:
            return mp4.playable(lambda offset, count: os.pread(source, count, offset), info.st_size)
    except OSError as error:
        raise CameraReadError(f"reading failed: {error.strerror}") from error
    raise CameraReadError("the file changed since it was found settled")


def _check(clip: ClipInProgress, slots: list[Slot], alive: Callable[[], None]) -> SealResult | Failure:
    data_key, clip.data_key = clip.data_key, b""
    if clip.failure is not None or clip.written is None:
        return clip.failure or Failure("BwcError", "nothing was written")
    try:
        sealed = byte_path.read_back(clip.written, slots, alive)
        wrapped = _wrap_to_all(data_key, clip.request.target)
    except (BwcError, OSError) as error:
        return Failure.of(error)
    return SealResult(clip.playable, sealed, wrapped)


def _wrap_to_all(data_key: bytes, target: SealTarget) -> tuple[WrappedKey, ...]:
    wrapped = []
    for pem in target.recipients:
        key, key_id = _recipient(pem)
        info = data_key_info(target.dock_id, target.clip_id, target.capture_sha256, key_id)
        wrapped.append(wrap(data_key, key, info))
    return tuple(wrapped)


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
        os._exit(0)  # the dock has closed the pipe
    except BaseException:  # noqa: BLE001 - nothing may be swallowed
        traceback.print_exc()
        os._exit(1)
