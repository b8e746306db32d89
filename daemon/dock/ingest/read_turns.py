"""Which clips the bays may read now: how many large ones at once, in which order, and how fast."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from daemon.core.read_order import at_once
from daemon.dock.rate_limits import night_limit
from daemon.model.clock import Clock
from daemon.model.config import Ingest
from daemon.model.zones import MACHINE, AgencyZone

Urgency = tuple[int, int]
_LOOK_EVERY = 0.5
"""Seconds after which a waiting bay asks again whether it is stopping."""


class ReadTurns:
    """Shared by all bays. A weapon's clip and a short clip never wait. Of the others the most urgent is read next."""

    def __init__(self, settings: Ingest, clock: Clock, zone: AgencyZone = MACHINE) -> None:
        self._settings = settings
        self._clock = clock
        self._zone = zone
        self._changed = threading.Condition()
        self._reading = 0
        self._waiting: list[Urgency] = []

    @property
    def waiting(self) -> int:
        """How many clips wait until they may be read."""
        with self._changed:
            return len(self._waiting)

    def free(self, urgency: Urgency) -> bool:
        """Whether a clip of this urgency would be read at once."""
        with self._changed:
            return at_once(urgency) or (self._reading < self._settings.readers and not self._waiting)

    @contextmanager
    def turn(self, urgency: Urgency, stopping: Callable[[], bool]) -> Iterator[None]:
        """Waits until the clip may be read; in the block it counts as being read. `stopping()` ends the wait."""
        with self._changed:
            self._waiting.append(urgency)
            while not (at_once(urgency) or self._is_next(urgency) or stopping()):
                self._changed.wait(_LOOK_EVERY)
            self._waiting.remove(urgency)
            self._reading += 1
        try:
            yield
        finally:
            with self._changed:
                self._reading -= 1
                self._changed.notify_all()

    def bytes_per_second(self) -> float:
        """How fast one camera may be read now, in bytes per second; 0: no limit. At night cameras share a limit."""
        at_night = night_limit(self._settings, self._clock, self._zone) / max(1, self._reading)
        limits = [self._settings.camera_bytes_per_second, at_night]
        return min((limit for limit in limits if limit > 0), default=0.0)

    def _is_next(self, urgency: Urgency) -> bool:
        return self._reading < self._settings.readers and urgency == min(self._waiting)
