"""The byte path: read once, hash and encrypt in the same pass, write durably, read back from the medium.

Constant memory whatever the clip's size. The one pipeline for the daemon, `bwc dock seal` and the benchmarks.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.core.pacing import Pace, at_full_speed
from daemon.dock.camera.direct_io import SealedOutput, open_uncached, read_uncached
from daemon.dock.camera.messages import SealedFile
from daemon.dock.camera.slots import SLOT, Slot, run_stages
from daemon.model.errors import CameraReadError, TamperedError
from daemon.seal import stream
from daemon.seal.stream import HEADER, Segment, StreamKey

Progress = Callable[[int], None]
"""Told how many bytes of the clip are done."""

_PER_SLOT = SLOT // stream.SEGMENT


@dataclass(frozen=True)
class WrittenFile:
    """A clip written and not yet read back: the key is still needed, to check every segment's tag."""

    target: Path
    key: StreamKey
    clip_sha256: str
    size: int
    seconds: float
    sync_seconds: float


def make_slots(count: int = 4) -> list[Slot]:
    """The buffers of one pipeline, for any number of clips after one another."""
    return [Slot() for _ in range(count)]


def seal(
    source: int, target: Path, data_key: bytes, clip_id: str, slots: Sequence[Slot], progress: Progress
) -> SealedFile:
    """Seals the open file `source` into the new file `target`: written, durable, read back. Raises as both of these."""
    written = write(source, target, data_key, clip_id, slots, progress)
    return read_back(written, slots, lambda: progress(written.size))


def write(
    source: int,
    target: Path,
    data_key: bytes,
    clip_id: str,
    slots: Sequence[Slot],
    progress: Progress,
    *,
    pace: Pace = at_full_speed,
    sync: bool = True,
) -> WrittenFile:
    """Hashes and encrypts the open file `source` into the new file `target`, with the buffers in `slots`.

    Its content is durable when it returns, its name is not. Without `sync` neither is: the caller makes many files
    durable together. Raises CameraReadError when the source changes, ends early or cannot be read; OSError when the
    target's disk is full (nothing is left behind that anybody acknowledges); NotDurableError when an fsync fails.
    """
    before = _look(source)
    started = time.monotonic()
    key = StreamKey.fresh(data_key, clip_id)
    try:
        clip_sha256, sync_seconds = _write(source, before.st_size, target, key, slots, progress, pace, sync)
        _refuse_changed(source, before)
    finally:
        _wipe(slots)
    return WrittenFile(target, key, clip_sha256, before.st_size, time.monotonic() - started, sync_seconds)


def read_back(written: WrittenFile, slots: Sequence[Slot], alive: Callable[[], None]) -> SealedFile:
    """Checks every segment's tag against what the medium holds, and hashes the sealed file as it lies there.

    `alive` is called again and again, so that whoever waits knows that work goes on. Raises TamperedError when the
    medium returns something other than was written, OSError when it cannot be read.
    """
    started = time.monotonic()
    try:
        sealed_sha256 = _read_back(written.target, written.size, written.key, slots, alive)
    finally:
        _wipe(slots)
    return SealedFile(
        written.clip_sha256,
        sealed_sha256,
        written.size,
        stream.sealed_size(written.size),
        written.seconds,
        written.sync_seconds,
        time.monotonic() - started,
    )


def _wipe(slots: Sequence[Slot]) -> None:
    for slot in slots:
        slot.wipe()


def _write(
    source: int,
    size: int,
    target: Path,
    key: StreamKey,
    slots: Sequence[Slot],
    progress: Progress,
    pace: Pace,
    sync: bool,
) -> tuple[str, float]:
    digest = hashlib.sha256()
    batches = _batches(size)
    out = SealedOutput(target, stream.sealed_size(size), alone=sync)
    try:

        def fill(slot: Slot) -> bool:
            segments, last = next(batches)
            slot.hold(segments)
            pace(slot.length)
            _read_exactly(source, slot.room(slot.length), slot.segments[0].offset)
            return last

        def hash_plain(slot: Slot) -> None:
            digest.update(slot.plain[: slot.length])
            progress(slot.segments[-1].offset + slot.segments[-1].length)

        def encrypt(slot: Slot) -> None:
            _place_header(slot, key)
            start = slot.segments[0].offset
            for segment, sealed in _sealed_views(slot):
                key.encrypt_into(segment, slot.plain[segment.offset - start :][: segment.length], sealed)

        def write(slot: Slot) -> None:
            out.write(slot.sealed[: _sealed_length(slot)], _sealed_start(slot))

        run_stages(slots, fill, [hash_plain, encrypt, write])
        _refuse_more(source, size)
        sync_seconds = out.finish(sync)
    finally:
        out.close()
    return digest.hexdigest(), sync_seconds


def _read_back(target: Path, size: int, key: StreamKey, slots: Sequence[Slot], alive: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    batches = _batches(size)
    fd = open_uncached(target)
    try:

        def fill(slot: Slot) -> bool:
            segments, last = next(batches)
            slot.hold(segments)
            length = _sealed_length(slot)
            if read_uncached(fd, slot.sealed, length, _sealed_start(slot)) != length:
                raise TamperedError(f"{target}: shorter on the medium than what was written")
            return last

        def hash_sealed(slot: Slot) -> None:
            digest.update(slot.sealed[: _sealed_length(slot)])
            alive()

        def check(slot: Slot) -> None:
            if slot.segments[0].index == 0 and slot.sealed[:HEADER] != key.header:  # no tag covers it for us
                raise TamperedError(f"{target}: the header on the medium is not what was written")
            for segment, sealed in _sealed_views(slot):  # the plaintext is not used: each overwrites the last
                key.decrypt_into(segment, sealed, slots[0].room(segment.length))

        run_stages(slots, fill, [hash_sealed, check])
    finally:
        os.close(fd)
    return digest.hexdigest()


def _batches(size: int) -> Iterator[tuple[list[Segment], bool]]:
    """The file's segments, a slot's worth at a time, and whether it is the last."""
    batch: list[Segment] = []
    for segment in stream.segments(size):
        batch.append(segment)
        if segment.last or len(batch) == _PER_SLOT:
            yield batch, segment.last
            batch = []


def _sealed_views(slot: Slot) -> Iterator[tuple[Segment, memoryview]]:
    base = _sealed_start(slot)
    for segment in slot.segments:
        yield segment, slot.sealed[segment.sealed_offset - base :][: segment.sealed_length]


def _sealed_start(slot: Slot) -> int:
    first = slot.segments[0]
    return 0 if first.index == 0 else first.sealed_offset


def _sealed_length(slot: Slot) -> int:
    last = slot.segments[-1]
    return last.sealed_offset + last.sealed_length - _sealed_start(slot)


def _place_header(slot: Slot, key: StreamKey) -> None:
    if slot.segments[0].index == 0:
        slot.sealed[:HEADER] = key.header


def _read_exactly(source: int, view: memoryview, offset: int) -> None:
    done = 0
    while done < len(view):
        try:
            count = os.preadv(source, [view[done:]], offset + done)
        except OSError as error:
            raise CameraReadError(f"reading failed at byte {offset + done}: {error.strerror}") from error
        if count == 0:  # no error to the kernel; stored as if it were whole, evidence would be lost
            raise CameraReadError(f"the file ends at byte {offset + done}, earlier than its size says")
        done += count


def _refuse_more(source: int, size: int) -> None:
    try:
        more = os.pread(source, 1, size)
    except OSError as error:
        raise CameraReadError(f"reading failed at byte {size}: {error.strerror}") from error
    if more:
        raise CameraReadError("the file grew while it was read")


def _look(source: int) -> os.stat_result:
    try:
        return os.fstat(source)
    except OSError as error:
        raise CameraReadError(f"the file vanished while it was read: {error.strerror}") from error


def _refuse_changed(source: int, before: os.stat_result) -> None:
    after = _look(source)
    for field in ("st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns", "st_nlink"):
        if getattr(before, field) != getattr(after, field):
            raise CameraReadError(f"the file changed while it was read ({field[3:]})")
