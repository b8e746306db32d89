"""After each connection the broker says again all that it retains, in any order. Until it has, nothing is decided.

A service restored from a backup would otherwise decide on half of what it knew: release on a classification whose
withdrawal it has not heard again yet. What is released cannot be taken back. The leader hears what is retained; that it
is not done yet stands in the store, where every other service reads it.
"""

from __future__ import annotations

from daemon.link.mqtt import Received
from daemon.model.topics import Topics

QUIET = 2.0
"""When no retained message has come for so long (seconds), all have."""
LONGEST = 60.0
"""Nobody waits for a decision longer than this."""
_LAST = ("correction", "withdrawal", "request")
"""Kinds that rest on what others say, in the order in which they are taken up."""


class CatchUp:
    """Holds back what has to come last. Times are monotonic seconds, passed in."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._began = float("-inf")
        self._newest = float("-inf")
        self._held: list[Received] = []

    def begin(self, now: float) -> None:
        """The leader: it waits for a connection."""
        self._began, self._newest = now, float("inf")

    def connected(self, now: float) -> None:
        """The leader: what was queued for us comes first, then what is retained."""
        self._began = self._newest = now

    def over(self, now: float) -> bool:
        """The leader: whether all has been heard."""
        return now - self._newest >= QUIET or now - self._began >= LONGEST

    def heard(self, message: Received, now: float) -> None:
        if message.retained:
            self._newest = now

    def holds(self, message: Received) -> bool:
        """Whether this message has to wait until all has been heard; if so, it does."""
        waits = self._kind(message) in _LAST
        if waits:
            self._held.append(message)
        return waits

    def release(self) -> list[Received]:
        """What waited, in the order to be taken up."""
        held, self._held = self._held, []
        return sorted(held, key=lambda message: _LAST.index(self._kind(message)))

    def _kind(self, message: Received) -> str:
        match self._topics.split(message.topic):
            case ("attestation", _, kind, _):
                return kind
            case _:
                return ""
