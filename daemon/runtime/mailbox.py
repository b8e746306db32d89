"""The queue of a service's loop: other threads put their events and requests here, and the loop takes them in order."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")
_IN_FLIGHT = 20
"""How many messages a broker sends before it waits for acknowledgements (Mosquitto's default)."""


class Reload:
    """Asks a service to read its configuration and trust again (SIGHUP)."""


class Wake:
    """Has the loop go round once more: something is left to be done, though nothing comes in."""


class Mailbox(Generic[Item]):
    """Gives its items in batches to a loop, which handles each batch in one transaction."""

    def __init__(
        self,
        tick_seconds: float,
        most: int = 500,
        *,
        can_wait: Callable[[Item], bool] = lambda _: False,
        gather_seconds: float = 0.0,
        gather_most: int = _IN_FLIGHT,
    ) -> None:
        """A batch has at most `most` items. If nothing comes for `tick_seconds`, the batch is empty.

        While all items of a batch `can_wait`, the batch waits for more: until it has `gather_most` items, or
        `gather_seconds` have passed since its first. An item that cannot wait ends this at once. The order stays.
        """
        self._most = most
        self._can_wait = can_wait
        self._gather_seconds = gather_seconds
        self._gather_most = gather_most
        self._queue: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self.tick_seconds = tick_seconds
        self.stopping = False

    def put(self, item: Item) -> None:
        """Adds an item. May be called from any thread; never blocks and never raises."""
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
        """Yields the batches, in order, until `stop`."""
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
