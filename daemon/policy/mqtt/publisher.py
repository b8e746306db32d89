"""Publishing the outbox. Only the leader does so, and every leader under the same client id.

If a leader that lost the store without noticing still runs, the broker ends its connection when the next leader comes
(MQTT 5, 3.1.4).
"""

from __future__ import annotations

import logging

from daemon.link.mqtt import Connected, Deliver, Disconnected, LinkEvent, MqttClient, Published
from daemon.link.pump import Pump
from daemon.link.retry import RetryTimer
from daemon.model.config import PolicyConfig
from daemon.model.topics import Topics
from daemon.policy.store.store import PolicyDatabase

log = logging.getLogger(__name__)
PUBLISHER = "publisher"
"""The name of this connection in link events."""
_AT_ONCE = 20
"""Messages read from the store at once."""


class OutboxPublisher:
    """Publishes what waits in the store, in order. All times are monotonic seconds and are passed in."""

    def __init__(self, config: PolicyConfig, store: PolicyDatabase, deliver: Deliver, offline: bytes) -> None:
        """`deliver` gets the connection's events. The connection opens when `client` is started.

        `offline` is the status that the broker publishes when the connection is lost.
        """
        self._status_topic = Topics(config.agency).policy_status
        self.client = MqttClient(
            config.broker, f"{config.agency}-policy", deliver, name=PUBLISHER, will=(self._status_topic, offline)
        )
        self._store = store
        self._pump = Pump(self.client)
        self._cursor = 0
        self._refused = RetryTimer()

    @property
    def connected(self) -> bool:
        """Whether the broker is connected."""
        return self._pump.connected

    def say_status(self, status: bytes) -> None:
        """Publishes the service's status, if the broker is connected. It is not kept for later: another one follows."""
        if self.connected:
            self.client.publish(self._status_topic, status, retain=True)

    def say_goodbye(self, status: bytes) -> None:
        """Publishes the service's last status before the connection is closed."""
        if self.connected:
            self.client.publish_last(self._status_topic, status)

    def handle(self, event: LinkEvent, now: float) -> None:
        """Takes note of an event of this connection. A message that the broker has taken is removed from the store."""
        match event:
            case Connected():
                self._pump.reset(connected=True, max_packet=event.max_packet)
                self._cursor = 0
                self._refused.clear()
            case Disconnected():
                if self._pump.connected:
                    log.warning("broker lost: %s; everything waits in the store", event.reason)
                self._pump.reset(connected=False)
            case Published():
                if not self._pump.published(event, lambda number: self._store.remove_message(int(str(number)))):
                    self._refused.refused(now)
            case _:
                pass

    def tick(self, now: float) -> None:
        """Begins again with the oldest message when it is time to retry one that the broker refused."""
        if self._refused.due(now):
            self._cursor = 0

    def send(self) -> None:
        """Sends waiting messages while the connection has room. Call it outside a transaction, after the commit."""
        while self._pump.has_room:
            messages = self._store.waiting_messages(self._cursor, _AT_ONCE)
            if not messages:
                return
            for number, topic, payload, retain in messages:
                if not self._pump.has_room or not self._pump.send(number, topic, payload, retain=retain):
                    return
                self._cursor = number
