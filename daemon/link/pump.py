"""Sends messages a window at a time and says which the broker took. Lives on its owner's thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable

from daemon.link.mqtt import MqttClient, Published

log = logging.getLogger(__name__)


class Pump:
    """The messages on their way. What is not acknowledged when the connection ends, its owner sends again."""

    def __init__(self, client: MqttClient, window: int = 20) -> None:
        self._client = client
        self._window = window
        self._flying: dict[int, tuple[Hashable, str]] = {}
        self.connected = False
        self.max_packet: int | None = None

    @property
    def has_room(self) -> bool:
        """Whether one more message may be under way."""
        return self.connected and len(self._flying) < self._window

    @property
    def empty(self) -> bool:
        """Whether nothing is under way."""
        return not self._flying

    def reset(self, *, connected: bool, max_packet: int | None = None) -> None:
        """The connection came or went: nothing is on its way any more."""
        self._flying.clear()
        self.connected = connected
        self.max_packet = max_packet

    def send(self, key: Hashable, topic: str, payload: bytes, *, retain: bool) -> bool:
        """Sends under `key`. False when it could not be taken just now, or never fits this broker's packets."""
        if self.max_packet is not None and len(payload) + len(topic) + 64 > self.max_packet:
            words = "a message for %s has %d bytes, more than the broker takes; set aside"
            log.error(words, topic, len(payload), extra=_fields(topic))
            return True  # resent for ever it would block everything behind it
        mid = self._client.publish(topic, payload, retain=retain)
        if mid is None:
            return False
        self._flying[mid] = (key, topic)
        return True

    def published(self, event: Published, taken: Callable[[Hashable], None]) -> bool:
        """The broker's answer: `taken` is called with the key of a message that it took. False when it refused it."""
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
