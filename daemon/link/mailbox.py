"""One queue for one thread: whatever other threads want of a service's loop arrives here, in order."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Reload:
    """Asks a service to read its configuration and trust again (SIGHUP)."""


class Mailbox(Generic[Item]):
    """Batches of items for a loop that handles each batch in one transaction."""

    def __init__(self, tick_seconds: float, most: int = 500) -> None:
        """`most` items make a batch; an empty one follows when a tick has passed with nothing."""
        self._most = most
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
                while item is not None:
                    items.append(item)
                    if len(items) == self._most:
                        break
                    item = self._queue.get_nowait()
            except queue.Empty:
                pass
            yield items
