"""The outbox's way to the broker. Only the leader publishes, under one name on the broker: should a leader that lost
the store without knowing it be still about, the broker ends its connection when the next one comes.
"""

from __future__ import annotations

import logging

from daemon.link.mqtt import Connected, Deliver, Disconnected, LinkEvent, MqttClient, Published
from daemon.link.pump import Pump
from daemon.link.retry import Retry
from daemon.model.config import PolicyConfig
from daemon.policy.store.store import PolicyStore

log = logging.getLogger(__name__)
PUBLISHER = "publisher"


class OutboxPublisher:
    """From the store to the broker, in order. Times are monotonic seconds, passed in."""

    def __init__(self, config: PolicyConfig, store: PolicyStore, deliver: Deliver) -> None:
        self.client = MqttClient(config.broker, f"{config.agency}-policy", deliver, name=PUBLISHER)
        self._store = store
        self._pump = Pump(self.client)
        self._cursor = 0
        self._refused = Retry()

    @property
    def connected(self) -> bool:
        return self._pump.connected

    def link(self, event: LinkEvent, now: float) -> None:
        """What became of the connection, or of a message: one that the broker took leaves the store."""
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
                if not self._pump.published(event, lambda key: self._store.remove_message(int(str(key)))):
                    self._refused.refused(now)
            case _:
                pass

    def tick(self, now: float) -> None:
        if self._refused.due(now):
            self._cursor = 0

    def send(self) -> None:
        """What waits, as far as there is room. Outside a transaction: only what is durable may leave."""
        while self._pump.has_room:
            posts = self._store.waiting_messages(self._cursor, 20)
            if not posts:
                return
            for post_id, topic, payload, retain in posts:
                if not self._pump.has_room or not self._pump.send(post_id, topic, payload, retain=retain):
                    return
                self._cursor = post_id
