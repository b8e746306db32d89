"""How each thread beside the loop runs, and what its unexpected end does: the dock stops and says why.

(A bay's thread is the exception: a camera's oddity fails its own bay. See daemon.dock.ingest.bay.)
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from daemon.dock.loop import Loop, StoppedError
from daemon.model.errors import BwcError

log = logging.getLogger(__name__)


class Worker:
    """Calls `work` in a thread until it returns or the worker is stopped."""

    def __init__(self, name: str, loop: Loop, work: Callable[[Worker], None]) -> None:
        """`work` looks at `stopping` and waits with `wait`; StoppedError ends it silently."""
        self._loop = loop
        self._work = work
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def stopping(self) -> bool:
        """Whether the dock is stopping."""
        return self._stopping.is_set()

    @property
    def running(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def wait(self, seconds: float) -> None:
        """Waits so long. Raises StoppedError as soon as the dock stops."""
        if self._stopping.wait(seconds):
            raise StoppedError("the dock is stopping")

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Makes `stopping` true and ends every wait. Does not wait for the thread."""
        self._stopping.set()

    def stop(self, timeout: float | None = None) -> None:
        """Ends it; waits for it `timeout` seconds at most, where one is given."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            self._work(self)
        except StoppedError:
            return
        except BaseException as error:
            if not isinstance(error, BwcError):  # their message says enough, and the dock ends with it
                log.exception("%s ended unexpectedly", self._thread.name)
            self._loop.fail(error)
