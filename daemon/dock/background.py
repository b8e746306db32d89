"""Work that may wait. Footage is taken in first; telling of it waits, but gets a share of the time in any case."""

from __future__ import annotations

from collections.abc import Callable

from daemon.model.clock import Clock

_BUSY_FOR = 0.1
"""For so many seconds after an answer a bay is expected to ask again."""
SOON = 0.02
"""Seconds after which the loop looks again when work was put off."""


class BackgroundBudget:
    """Whether the service's thread has time just now."""

    def __init__(self, clock: Clock, waiting: Callable[[], bool]) -> None:
        """`waiting`: whether anything has come in that nobody has handled yet."""
        self._clock = clock
        self._waiting = waiting
        self._asked = float("-inf")
        self._deferred = False

    def bay_asked(self) -> None:
        """A bay asks for a decision; from its own thread."""
        self._asked = self._clock.monotonic()

    def may_run(self, overdue: bool) -> bool:
        """Whether to do one piece of it now: bays do not keep the thread busy, or it is `overdue`."""
        busy = self._waiting() or self._clock.monotonic() - self._asked < _BUSY_FOR
        self._deferred |= busy and not overdue
        return overdue or not busy

    def was_deferred(self) -> bool:
        """Whether any work was put off since this was asked last."""
        deferred, self._deferred = self._deferred, False
        return deferred

    def share(self, every: float, pieces: int = 1) -> BackgroundShare:
        """One kind of such work: `pieces` of it are done each `every` seconds, even while bays are busy."""
        return BackgroundShare(self, self._clock, every, pieces)


class BackgroundShare:
    """Asked before each piece of one kind of work that may wait."""

    def __init__(self, budget: BackgroundBudget, clock: Clock, every: float, pieces: int) -> None:
        self._budget = budget
        self._clock = clock
        self._every = every
        self._pieces = pieces
        self._since = float("-inf")
        self._done = 0

    def may_run(self) -> bool:
        """Whether to do one piece of it now."""
        now = self._clock.monotonic()
        if now - self._since >= self._every:
            self._since, self._done = now, 0
        run = self._budget.may_run(self._done < self._pieces)
        self._done += run
        return run
