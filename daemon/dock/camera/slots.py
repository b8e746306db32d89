"""Threads in a row, passing a few reused buffers along: the shape of the byte path.

The caller's thread fills slots; each stage has a thread of its own and handles every slot, in order. The
stages' work (read, hash, encrypt, write) releases the interpreter lock, so that they overlap.
"""

from __future__ import annotations

import errno
import mmap
import queue
import threading
from collections.abc import Callable, Sequence

from daemon.seal.stream import SEGMENT, Segment

SLOT = 2 * SEGMENT
"""Bytes of a slot's buffers: two segments."""


class Slot:
    """Two page-aligned buffers and what of the file they hold just now."""

    def __init__(self) -> None:
        self.plain, self.sealed = buffer(SLOT), buffer(SLOT)
        self.segments: list[Segment] = []
        self.length = 0
        self._used = 0

    def hold(self, segments: list[Segment]) -> None:
        """What the slot is about to hold."""
        self.segments = segments
        self.length = sum(segment.length for segment in segments)

    def room(self, length: int) -> memoryview:
        """Where `length` bytes of plaintext are about to be put; `wipe` takes them away again."""
        self._used = max(self._used, length)
        return self.plain[:length]

    def wipe(self) -> None:
        """Zeroes what plaintext it held."""
        self.plain[: self._used] = bytes(self._used)
        self._used = 0


def buffer(size: int) -> memoryview:
    """Page-aligned zeroes, in huge pages where the kernel has them. A disk is then given one piece of memory instead of
    one for each page, and takes half the time.
    """
    area = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        area.madvise(mmap.MADV_HUGEPAGE)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a kernel without them
            raise
    return memoryview(area)


def run_stages(slots: Sequence[Slot], fill: Callable[[Slot], bool], stages: Sequence[Callable[[Slot], None]]) -> None:
    """Fills slots until `fill` says it was the last, and passes each through all `stages`.

    The first failure of any stage stops them all and is raised here. What fits into one slot needs no threads.
    """
    if fill(slots[0]):
        for stage in stages:
            stage(slots[0])
    else:
        _run_threads(slots, fill, stages)


def _run_threads(slots: Sequence[Slot], fill: Callable[[Slot], bool], stages: Sequence[Callable[[Slot], None]]) -> None:
    """The rest of `run_stages`, from when the first slot is filled."""
    free: queue.SimpleQueue[Slot | None] = queue.SimpleQueue()
    for slot in slots[1:]:
        free.put(slot)
    queues: list[queue.SimpleQueue[Slot | None]] = [*(queue.SimpleQueue() for _ in stages), free]
    failures: list[BaseException] = []

    def work(number: int) -> None:
        while (slot := queues[number].get()) is not None:
            if not failures:
                try:
                    stages[number](slot)
                except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, which raises it
                    failures.append(error)
            queues[number + 1].put(slot)
        if number + 1 < len(stages):
            queues[number + 1].put(None)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(len(stages))]
    for thread in threads:
        thread.start()
    try:
        queues[0].put(slots[0])
        ended = False
        while not ended and not failures:
            taken = free.get()
            assert taken is not None  # noqa: S101 - only the stages' queues carry the end mark
            ended = fill(taken)
            queues[0].put(taken)
    finally:
        queues[0].put(None)
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
