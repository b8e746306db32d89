"""Threads in a row, passing a few reused buffers along: the shape of the byte path.

The caller's thread fills slots; each stage has a thread of its own and handles every slot, in order. The
stages' work (read, hash, encrypt, write) releases the interpreter lock, so that they overlap.
"""

from __future__ import annotations

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
        self.plain, self.sealed = memoryview(mmap.mmap(-1, SLOT)), memoryview(mmap.mmap(-1, SLOT))
        self.segments: list[Segment] = []
        self.length = 0
        self._used = 0

    def hold(self, segments: list[Segment]) -> None:
        """What the slot is about to hold."""
        self.segments = segments
        self.length = sum(segment.length for segment in segments)
        self._used = max(self._used, self.length)

    def wipe(self) -> None:
        """Zeroes what plaintext it held."""
        self.plain[: self._used] = bytes(self._used)
        self._used = 0


def run(
    slots: Sequence[Slot], fill: Callable[[Slot], bool], stages: Sequence[Callable[[Slot], None]], last: int = 1
) -> None:
    """Fills slots until `fill` says it was the last, and passes each through all `stages`.

    `last`: how many threads the last stage has; with more than one it sees slots in any order. The first failure of any
    stage stops them all and is raised here. What fits into one slot needs no threads.
    """
    if fill(slots[0]):
        for stage in stages:
            stage(slots[0])
    else:
        _run_threads(slots, fill, stages, last)


def _run_threads(
    slots: Sequence[Slot], fill: Callable[[Slot], bool], stages: Sequence[Callable[[Slot], None]], last: int
) -> None:
    """The rest of `run`, from when the first slot is filled."""
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
        elif last > 1:
            queues[number].put(None)  # for the others at this stage

    numbers = [*range(len(stages)), *[len(stages) - 1] * (last - 1)]
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in numbers]
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
