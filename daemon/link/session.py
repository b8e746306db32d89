"""A short connection to the broker, for the command line: publish, wait for answers, disconnect."""

from __future__ import annotations

import queue
import time
import uuid
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from daemon.link.mqtt import Connected, Disconnected, LinkEvent, MqttClient, Published, Received, Subscribed
from daemon.model.config import Broker
from daemon.model.errors import UnavailableError

CONNECT_SECONDS = 10.0
"""How long the broker may take to accept the connection, and to give each answer."""
_QUIET = 0.7
"""Seconds without a message after which all retained messages have come."""


class Session:
    """One connection with its subscriptions, used by one thread as a context manager."""

    def __init__(self, broker: Broker, subscriptions: tuple[str, ...], seconds: float | None = None) -> None:
        """`seconds` is the limit for connecting, and for each answer of the broker; CONNECT_SECONDS when not given."""
        self._broker = broker
        self._seconds = CONNECT_SECONDS if seconds is None else seconds
        self._events: queue.SimpleQueue[LinkEvent] = queue.SimpleQueue()
        self._received: list[Received] = []
        self._client = MqttClient(broker, f"bwc-{uuid.uuid4().hex[:12]}", self._events.put, subscriptions=subscriptions)
        self._wait_subscribed = bool(subscriptions)

    def __enter__(self) -> Self:
        """Connects and subscribes. Raises UnavailableError when the broker does not answer, or refuses it."""
        self._client.start()
        try:
            self._until(lambda event: isinstance(event, Connected), "connection")
            if self._wait_subscribed:
                self._check_granted(self._until(lambda event: isinstance(event, Subscribed), "subscription"))
        except BaseException:
            self._client.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.stop()

    def publish(self, topic: str, payload: bytes, *, retain: bool, keep_seconds: int | None = None) -> None:
        """Publishes, and returns when the broker has acknowledged. Raises UnavailableError when it does not."""
        mid = self._client.publish(topic, payload, retain=retain, keep_seconds=keep_seconds)
        if mid is None:
            raise UnavailableError("the broker's connection was lost")
        answer = self._until(lambda event: isinstance(event, Published) and event.mid == mid, "acknowledgement")
        if isinstance(answer, Published) and answer.refused:
            raise UnavailableError(f"the broker refused {topic}: {answer.refused}")

    def wait(self, wanted: Callable[[Received], bool], seconds: float) -> Received | None:
        """The first message for which `wanted` is true (None: none came in time). Others are kept for later calls."""
        for number, message in enumerate(self._received):
            if wanted(message):
                return self._received.pop(number)
        for message in self._arriving(seconds):
            if wanted(message):
                return message
            self._received.append(message)
        return None

    def retained(self, seconds: float = 10.0) -> list[Received]:
        """The newest retained message of each subscribed topic: all that come until none has come for 0.7 seconds."""
        found: dict[str, Received] = {}
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            message = self.wait(lambda _: True, _QUIET)
            if message is None:
                break
            found[message.topic] = message
        return list(found.values())

    def _check_granted(self, answer: LinkEvent) -> None:
        if isinstance(answer, Subscribed) and answer.refused:
            raise UnavailableError(f"the broker refused the subscription: {answer.refused}")

    def _arriving(self, seconds: float) -> Iterator[Received]:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                event = self._events.get(timeout=left)
            except queue.Empty:
                return
            if isinstance(event, Received):
                self._client.ack(event)
                yield event

    def _until(self, wanted: Callable[[LinkEvent], bool], what: str) -> LinkEvent:
        end = time.monotonic() + self._seconds
        reason = ""
        while (left := end - time.monotonic()) > 0:
            try:
                event = self._events.get(timeout=left)
            except queue.Empty:
                break
            if wanted(event):
                return event
            if isinstance(event, Received):
                self._client.ack(event)
                self._received.append(event)
            if isinstance(event, Disconnected):
                reason = f" ({event.reason})"
        host, port = self._broker.address
        raise UnavailableError(
            f"broker {host}:{port}: no {what} within {self._seconds:g} s{reason}", hint="is it running? check --broker"
        )
