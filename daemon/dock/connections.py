"""The dock's two connections to the broker: what it publishes on one, what it hears on the other."""

from __future__ import annotations

import logging
from collections.abc import Callable

from daemon.dock.context import DockContext, LoopState
from daemon.dock.inbox import router
from daemon.dock.outbox.announcer import Announcer, offline
from daemon.link.credentials import Credentials
from daemon.link.mqtt import Connected, Disconnected, LinkEvent, MqttClient, Received, Subscribed
from daemon.link.retry import RetryTimer
from daemon.model.config import DockConfig
from daemon.runtime.reload import take_effect

log = logging.getLogger(__name__)
_SESSION = 7 * 24 * 3600


class Connections:
    """Lives on the loop's thread. Two clients, so that slow reading of messages never delays notices."""

    def __init__(self, dock: DockContext, state: LoopState, put: Callable[[LinkEvent], None]) -> None:
        """`put` is told of everything that comes in, from the clients' threads."""
        self._dock = dock
        config, since = dock.config, dock.now()
        self.publisher = MqttClient(
            config.broker,
            f"{config.agency}-{config.dock_id}",
            put,
            name="publisher",
            will=(dock.topics.status(config.dock_id), offline(dock, since)),
        )
        self.consumer = MqttClient(
            config.broker,
            f"{config.agency}-{config.dock_id}-inbox",
            put,
            name="consumer",
            subscriptions=router.subscriptions(dock),
            session_seconds=_SESSION,
        )
        self.announcer = Announcer(dock, state, self.publisher, since)
        self._resubscribe = RetryTimer()

    def start(self) -> None:
        """Connects, and again whenever a connection is lost."""
        self.publisher.start()
        self.consumer.start()

    def handle(self, event: LinkEvent) -> None:
        """What became of a connection, a subscription or a publication."""
        match event:
            case Subscribed():
                if event.refused:
                    log.error("the broker refused a subscription: %s", event.refused)
                    self._resubscribe.refused(self._dock.clock.monotonic())
                else:
                    self.announcer.listening = True
                    self.announcer.status()
            case Connected() if event.client == "consumer":
                self._resubscribe.clear()
                if event.forgotten:
                    self.announcer.forgotten()
            case _ if event.client == "publisher":
                self.announcer.handle(event)

    def tick(self) -> None:
        """Asks for a refused subscription again, once it is time."""
        if self._resubscribe.due(self._dock.clock.monotonic()):
            self.consumer.subscribe()

    def acknowledge(self, message: Received) -> None:
        """Tells the broker that a message is dealt with, durably."""
        self.consumer.ack(message)

    def renew(self, config: DockConfig, credentials: Credentials) -> None:
        """Connects anew where the configuration read again says so."""
        if take_effect(self._dock.config, config, credentials, (self.publisher, self.consumer)):
            self.announcer.handle(Disconnected("publisher", "connecting anew"))

    def stop(self) -> None:
        """Says goodbye, and disconnects."""
        if self.announcer.connected:
            status = offline(self._dock, self._dock.now())
            self.publisher.publish_last(self._dock.topics.status(self._dock.dock_id), status)
        self.publisher.stop()
        self.consumer.stop()
