"""Sends messages, a limited number at once, and reports which of them the broker took. Not thread-safe."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable

from daemon.link.mqtt import MqttClient, Published

log = logging.getLogger(__name__)


class Pump:
    """The messages on their way. When the connection ends, the owner sends again what was not acknowledged.

    `window` is how many may be on their way at once.
    """

    def __init__(self, client: MqttClient, window: int = 20) -> None:
        self._client = client
        self._window = window
        self._flying: dict[int, tuple[Hashable, str]] = {}
        self.connected = False
        self.max_packet: int | None = None

    @property
    def has_room(self) -> bool:
        """Whether one more message may be sent now."""
        return self.connected and len(self._flying) < self._window

    @property
    def empty(self) -> bool:
        """Whether no message is on its way."""
        return not self._flying

    def reset(self, *, connected: bool, max_packet: int | None = None) -> None:
        """The connection was made or lost: no message is on its way any more. `max_packet` is in bytes."""
        self._flying.clear()
        self.connected = connected
        self.max_packet = max_packet

    def send(self, key: Hashable, topic: str, payload: bytes, *, retain: bool) -> bool:
        """Sends a message under `key`. Returns False when the client cannot take it now; then try again later.

        A message larger than the broker takes is logged and skipped, and counts as sent.
        """
        if self.max_packet is not None and len(payload) + len(topic) + 64 > self.max_packet:
            words = "a message for %s has %d bytes, more than the broker takes; it is not sent"
            log.error(words, topic, len(payload), extra=_fields(topic))
            return True  # to try it again and again would hold up every message after it
        mid = self._client.publish(topic, payload, retain=retain)
        if mid is None:
            return False
        self._flying[mid] = (key, topic)
        return True

    def published(self, event: Published, taken: Callable[[Hashable], None]) -> bool:
        """Handles the broker's answer: calls `taken` with the message's key. Returns False when it refused it."""
        flying = self._flying.pop(event.mid, None)
        if flying is None:
            return True
        key, topic = flying
        if event.refused:
            log.error("the broker refused a message for %s: %s", topic, event.refused, extra=_fields(topic))
            return False
        taken(key)
        return True


def _fields(topic: str) -> dict[str, str]:
    """Which clip or bay a topic is about, for the log."""
    match topic.split("/")[-2:]:
        case ["clip", clip_id]:
            return {"clip_id": clip_id}
        case ["bay", bay]:
            return {"bay": bay}
        case _:
            return {}
