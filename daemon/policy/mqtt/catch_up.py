"""Catching up: after each connection the broker sends again all that it retains, in any order.

Until all of it has come, nothing is decided. Otherwise a service that was restored from a backup would decide on half
of what it knew before: it could release a clip on a classification whose withdrawal it has not received again yet. A
release cannot be taken back once it was viewed.

Only the leader receives retained messages. While it is catching up, the store says so to every other service.
"""

from __future__ import annotations

from daemon.link.mqtt import Received
from daemon.model.topics import Topics

QUIET = 2.0
"""Seconds without a retained message after which all of them have come."""
LONGEST = 60.0
"""Seconds after which decisions are made even if retained messages still come."""
_LAST = ("correction", "withdrawal", "request")
"""Kinds of attestation that rest on other messages, in the order in which they are processed after those."""


class CatchUp:
    """Knows when all retained messages have come, and defers the messages that have to be processed last.

    All times are monotonic seconds and are passed in.
    """

    def __init__(self, topics: Topics) -> None:
        """`topics` are the agency's; they tell which kind of attestation a message is."""
        self._topics = topics
        self._began = float("-inf")
        self._newest = float("-inf")
        self._deferred: list[Received] = []

    def wait_for_connection(self, now: float) -> None:
        """The leader has no connection yet. Catching up ends after `LONGEST` at the latest."""
        self._began, self._newest = now, float("inf")

    def begin(self, now: float) -> None:
        """The leader subscribes. The broker sends what it queued for us first, and then what it retains."""
        self._began = self._newest = now

    def is_over(self, now: float) -> bool:
        """Whether the leader has all retained messages, or has waited long enough."""
        return now - self._newest >= QUIET or now - self._began >= LONGEST

    def note_received(self, message: Received, now: float) -> None:
        """Notes when a message came. Every message has to be passed here."""
        if message.retained:
            self._newest = now

    def defer(self, message: Received) -> bool:
        """Keeps a message that has to be processed last. False for any other message, which is not kept."""
        defers = self._kind(message) in _LAST
        if defers:
            self._deferred.append(message)
        return defers

    def take_deferred(self) -> list[Received]:
        """Returns the messages that were kept, in the order in which to process them, and keeps them no longer."""
        deferred, self._deferred = self._deferred, []
        return sorted(deferred, key=lambda message: _LAST.index(self._kind(message)))

    def _kind(self, message: Received) -> str:
        match self._topics.split(message.topic):
            case ("attestation", _, kind, _):
                return kind
            case _:
                return ""
