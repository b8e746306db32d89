"""Leading: one of the services on a store leads, and has the connections that go with it.

The leader publishes for all services and receives what the broker retains. What the other services have to know about
it is in the store: whether it is catching up, and by which regime it decides.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable

from daemon.link.mqtt import Connected, Deliver, Disconnected, LinkEvent, MqttClient, Received
from daemon.model.config import PolicyConfig
from daemon.model.errors import ConfigurationError
from daemon.model.topics import Topics
from daemon.policy.mqtt.catch_up import CatchUp
from daemon.policy.mqtt.publisher import PUBLISHER, OutboxPublisher
from daemon.policy.mqtt.subscriptions import INBOX, SHARE, Subscriptions
from daemon.policy.rules.regime import Regime
from daemon.policy.store.store import PolicyDatabase

log = logging.getLogger(__name__)
_CHECK_OTHERS_SECONDS = 1.0
_AWAY_SECONDS = 15.0
"""How long a leader without a broker keeps the lead, and how long it then leaves it to others."""
_CATCHING_UP, _REGIME, _MISSED = "catching up", "regime", "missed"
"""Names of values in the store that all services read: whether the leader is catching up, the SHA-256 of the regime it
decides by, and a random number that a service replaces when messages may have been lost with its connection.
"""


class Leadership:
    """Whether this service leads, and its connections to the broker.

    All times are monotonic seconds and are passed in. Every method but `send` and `ack` is called inside a transaction.
    """

    def __init__(
        self,
        config: PolicyConfig,
        store: PolicyDatabase,
        regime: Regime,
        deliver: Deliver,
        now: float,
        *,
        offline: Callable[[], bytes],
    ) -> None:
        """`store` was opened to serve. `deliver` gets the events of all connections.

        `offline` makes the status that says that the service has gone.
        """
        self._offline = offline
        self._config = config
        self._store = store
        self._regime = regime
        self._deliver = deliver
        self._lead = store.lead
        topics = Topics(config.agency)
        self._subscriptions = Subscriptions(config, topics, deliver, shared=self._lead.shared)
        self._publisher: OutboxPublisher | None = None
        self._catch_up = CatchUp(topics)
        self._members: frozenset[int] = frozenset()
        self._missed: str | None = None
        self._away_since = now
        self._left_lead_at = self._checked_others_at = float("-inf")
        self.catching_up = True
        """Whether the leader is catching up. Until it is done, no service decides."""

    @property
    def leads(self) -> bool:
        """Whether this service leads."""
        return self._publisher is not None

    @property
    def connected(self) -> bool:
        """Whether the broker is connected: for the leader to publish, for another service to receive its share."""
        return self._subscriptions.connected if self._publisher is None else self._publisher.connected

    @property
    def clients(self) -> list[MqttClient]:
        """The connections that exist now."""
        return [*self._subscriptions.clients, *([self._publisher.client] if self._publisher else [])]

    def start(self) -> None:
        """Opens the connection that every service has. The leader's are opened by `update`."""
        self._subscriptions.start()

    def stop(self) -> None:
        """Closes all connections. A leader says goodbye first."""
        if self._publisher is not None:
            self._publisher.say_goodbye(self._offline())
        for client in self.clients:
            client.stop()

    def update(self, now: float) -> None:
        """Begins to lead if no other service does, and reads from the store whether the leader is catching up.

        Called at the beginning of every transaction. Raises ConfigurationError when the leader decides by another
        regime.
        """
        self._try_to_lead(now)
        self.catching_up = self._store.get(_CATCHING_UP) is not None

    def _try_to_lead(self, now: float) -> None:
        """A service that does not reach the broker leaves the lead to others."""
        unreachable = self._lead.shared and not self._subscriptions.connected
        if self.leads or unreachable or now - self._left_lead_at < _AWAY_SECONDS:
            return
        if not self._lead.try_lead():
            self._check_regime()
            return
        self._store.set(_REGIME, self._regime.sha256)
        self._publisher = OutboxPublisher(self._config, self._store, self._deliver, self._offline())
        self._publisher.client.start()
        self._subscriptions.open_inbox(now)
        self._away_since = now
        self._members, self._missed = self._lead.members(), self._store.get(_MISSED)
        self._catch_up.wait_for_connection(now)
        self._store.set(_CATCHING_UP, "1")
        if self._lead.shared:
            log.info("this service leads from now on")

    def _check_regime(self) -> None:
        if self._store.get(_REGIME) != self._regime.sha256:
            raise ConfigurationError(
                f"regime {self._regime.name}: the policy service that leads decides by another",
                hint="give all of them the same regime, then start them again",
            )

    def handle(self, event: LinkEvent, now: float) -> None:
        """Handles an event of one of the connections that is no message."""
        if event.client == PUBLISHER:
            if self._publisher is None:
                return  # the event is of the time when this service led
            if self.connected:
                self._away_since = now  # from the loss of the connection on, not from each attempt to connect
            self._publisher.handle(event, now)
        elif self._subscriptions.handle(event, now):
            self._store.set(_MISSED, uuid.uuid4().hex)
        elif isinstance(event, Connected) and event.client == INBOX:
            self._begin_catch_up(now)

    def reconnecting(self, now: float) -> None:
        """The connections are made anew, with new certificates or passwords."""
        if self._publisher is not None:
            self._publisher.handle(Disconnected(PUBLISHER, "connecting anew"), now)

    def defer(self, message: Received, now: float) -> bool:
        """Takes note of a message, and keeps it when it has to be processed after catching up. True when it is kept."""
        self._catch_up.note_received(message, now)
        return self.catching_up and self._catch_up.defer(message)

    def take_deferred(self) -> list[Received]:
        """Returns the messages that were kept, in the order in which to process them, and keeps them no longer."""
        return self._catch_up.take_deferred()

    def tick(self, now: float) -> None:
        """Does what is due at this time: retries what the broker refused, ends catching up, looks at other services."""
        caught_up = self._catch_up.is_over(now)
        self._subscriptions.tick(now, caught_up=caught_up)
        if self._publisher is None:
            return
        self._publisher.tick(now)
        if self._lead.shared and now - self._checked_others_at >= _CHECK_OTHERS_SECONDS:
            self._checked_others_at = now
            self._check_others(now)
        if self.catching_up and self._catch_up.is_over(now):
            self._store.unset(_CATCHING_UP)
            self.catching_up = False

    def _check_others(self, now: float) -> None:
        """Receives again what other services may have lost. Without a broker, leaves the lead to them."""
        members, missed = self._lead.members(), self._store.get(_MISSED)
        if self._members - members or missed != self._missed:
            log.info("messages may have been lost with a service or its connection: reading all retained ones again")
            self._subscriptions.resubscribe_inbox(now)
            self._begin_catch_up(now)
        self._members, self._missed = members, missed
        if not self.connected and now - self._away_since >= _AWAY_SECONDS and len(members) > 1:
            self._leave_lead(now)

    def _leave_lead(self, now: float) -> None:
        log.warning("no broker for %d s: another service may lead", now - self._away_since)
        for client in self.clients:
            if client.name != SHARE:
                client.stop()
        self._subscriptions.close_inbox()
        self._publisher = None
        self._left_lead_at = now
        self._lead.leave_lead()

    def _begin_catch_up(self, now: float) -> None:
        self._catch_up.begin(now)
        self._store.set(_CATCHING_UP, "1")
        self.catching_up = True

    def ack(self, message: Received) -> None:
        """Acknowledges a message. Its effects are durable, or it waits and the broker retains it."""
        self._subscriptions.ack(message)

    def say_status(self, status: bytes) -> None:
        """The leader publishes the service's status, if the broker is connected."""
        if self._publisher is not None:
            self._publisher.say_status(status)

    def send(self) -> None:
        """The leader publishes what waits in the store. Call it after the commit, outside a transaction."""
        if self._publisher is not None:
            self._publisher.send()
