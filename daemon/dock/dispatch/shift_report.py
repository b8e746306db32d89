"""How many cameras were on in time over the last hours: counted in the background, told in the dock's status."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

from daemon.core.dispatch.compliance import review
from daemon.dock.context import Dock
from daemon.dock.dispatch import compliance_source
from daemon.dock.loop import Service, StoppedError
from daemon.model.documents import ShiftActivation

_LOOK_EVERY = 30.0
_COUNT_ANEW_EVERY = 900.0


class ShiftCounter:
    """One thread that reads the store beside the loop, and only when clips or dispatch documents came in."""

    def __init__(self, dock: Dock, service: Service, counted: Callable[[ShiftActivation], None]) -> None:
        """`counted` is called on the service's thread with each new count."""
        self._dock = dock
        self._service = service
        self._counted = counted
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shift", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        known: object = None
        counted_at = float("-inf")
        try:
            while True:
                now, newest = self._dock.clock.monotonic(), self._service.call(self._newest)
                if newest != known or now - counted_at >= _COUNT_ANEW_EVERY:
                    known, counted_at = newest, now
                    count = self._count()
                    self._service.call(lambda count=count: self._counted(count))  # type: ignore[misc]
                if self._stopping.wait(_LOOK_EVERY):
                    return
        except StoppedError:
            return
        except BaseException as error:  # noqa: BLE001 - whatever it is, the dock stops and says so
            self._service.fail(error)

    def _newest(self) -> tuple[str | None, str | None]:
        """Changes with every clip, tag and dispatch document."""
        return self._dock.store.get("sequence"), self._dock.store.get("dispatch_as_of")

    def _count(self) -> ShiftActivation:
        config, end = self._dock.config, self._dock.now()
        begin = end - timedelta(hours=config.activation.shift_hours)
        found = compliance_source.read(config, begin, end)
        grace = config.activation.grace_seconds
        counts = review(found.clips, found.assignments, found.docked_until, grace, begin, end).overall.counts
        return ShiftActivation(
            since=begin,
            on_time=counts["on_time"],
            late=counts["late"],
            partial=counts["partial"],
            absent=counts["absent"],
            pending=counts["pending"],
        )
