"""One queue for one thread: whatever other threads want of a service's loop arrives here, in order."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")
_IN_FLIGHT = 20
"""Brokers give no more (Mosquitto, where nobody says otherwise) until these are acknowledged, whatever comes next."""


class Reload:
    """Asks a service to read its configuration and trust again (SIGHUP)."""


class Mailbox(Generic[Item]):
    """Batches of items for a loop that handles each batch in one transaction."""

    def __init__(
        self,
        tick_seconds: float,
        most: int = 500,
        *,
        can_wait: Callable[[Item], bool] = lambda _: False,
        gather_seconds: float = 0.0,
        gather_most: int = _IN_FLIGHT,
    ) -> None:
        """`most` items make a batch; an empty one follows when a tick has passed with nothing.

        A batch of nothing but items that `can_wait` gathers more, up to `gather_most` of them or for `gather_seconds`
        after its first; whatever cannot wait ends that at once, and comes after them, as it came.
        """
        self._most = most
        self._can_wait = can_wait
        self._gather_seconds = gather_seconds
        self._gather_most = gather_most
        self._queue: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self.tick_seconds = tick_seconds
        self.stopping = False

    def put(self, item: Item) -> None:
        """From any thread; never blocks and never raises."""
        self._queue.put(item)

    @property
    def waiting(self) -> bool:
        """Whether something has come in since the last batch."""
        return not self._queue.empty()

    def stop(self) -> None:
        """Ends `batches`. Safe in a signal handler."""
        self.stopping = True
        self._queue.put(None)

    def batches(self) -> Iterator[list[Item]]:
        """What came in, in order, until `stop`."""
        while not self.stopping:
            items: list[Item] = []
            try:
                item = self._queue.get(timeout=self.tick_seconds)
                end = time.monotonic() + self._gather_seconds
                while item is not None:
                    items.append(item)
                    if len(items) == self._most:
                        break
                    if len(items) >= self._gather_most or not self._can_wait(item):
                        end = 0.0
                    item = self._queue.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                pass
            yield items
