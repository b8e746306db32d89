"""What a policy service hears, and on which subscriptions.

The *inbox* is the leader's: ordinary subscriptions in a session that the broker keeps, taken over by whoever leads
next. A service alone on its store hears everything there. Where several serve, each has its *share* of a shared
subscription (MQTT 5, 4.8.2), and the inbox is listened to only when something may have passed all of them by: the
broker gives nothing that it retains to shared subscriptions, and what it gave to a service that ends may be lost with
it. All that matters is retained: the leader listens to that again when it begins to lead, and whenever a service ended
or lost its connection. Where the broker refuses shared subscriptions the inbox stays, and the other services stand by.
"""

from __future__ import annotations

import logging
import uuid

from daemon.link.mqtt import Connected, Deliver, Disconnected, LinkEvent, MqttClient, Received, Subscribed
from daemon.link.retry import Retry
from daemon.model.config import PolicyConfig
from daemon.model.topics import Topics

log = logging.getLogger(__name__)
INBOX, SHARE = "inbox", "share"
_GROUP = "policy"
_SESSION = 7 * 24 * 3600


def subscriptions(topics: Topics) -> tuple[str, ...]:
    """Everything that matters to a policy service. Of clips' notices only what is retained: new ones are announced."""
    return (topics.announcement("+", "+"), topics.clip("+", "+"), topics.attestation("+", "+", "+"))


class Subscriptions:
    """The subscriptions. Times are monotonic seconds, passed in."""

    def __init__(self, config: PolicyConfig, topics: Topics, deliver: Deliver, *, shared: bool) -> None:
        self._config = config
        self._deliver = deliver
        self._topics = subscriptions(topics)
        self._shared = tuple(topic for topic in self._topics if topic != topics.clip("+", "+"))
        self._inbox: MqttClient | None = None
        self._share = self._make_share() if shared else None
        self._granted = False
        self._connections = 0
        self._listening_until = float("-inf")
        self._listening = False
        self._refused = {INBOX: Retry(), SHARE: Retry()}
        self.connected = False
        """Whether the share's connection stands."""

    def _make_share(self) -> MqttClient:
        """Under a name and with a session that end with the process: the broker gives no share to what is gone."""
        name = f"{self._config.agency}-policy-{uuid.uuid4().hex[:12]}"
        topics = tuple(f"$share/{_GROUP}/{topic}" for topic in self._shared)
        return MqttClient(self._config.broker, name, self._deliver, name=SHARE, subscriptions=topics)

    @property
    def clients(self) -> list[MqttClient]:
        """The connections that are kept up just now."""
        return [client for client in (self._share, self._inbox) if client is not None]

    def start(self) -> None:
        if self._share is not None:
            self._share.start()

    def stop(self) -> None:
        for client in self.clients:
            client.stop()

    def lead(self, now: float) -> None:
        """Opens the inbox."""
        self._inbox = MqttClient(
            self._config.broker,
            f"{self._config.agency}-policy-inbox",
            self._deliver,
            name=INBOX,
            subscriptions=self._topics,
            session_seconds=_SESSION,
        )
        self._inbox.start()
        self._listen(now)

    def follow(self) -> None:
        """Somebody else leads: the inbox is theirs."""
        if self._inbox is not None:
            self._inbox.stop()
            self._inbox = None

    def link(self, event: LinkEvent, now: float) -> bool:
        """What became of a connection or subscription. True when messages may have been lost with it."""
        match event:
            case Connected(client="share"):
                self.connected = True
                self._connections += 1
                self._refused[SHARE].clear()
                return self._connections > 1
            case Disconnected(client="share"):
                self.connected = self._granted = False
            case Connected(client="inbox"):
                self._refused[INBOX].clear()
                self._listen(now)
            case Subscribed():
                if event.refused:
                    log.error("the broker refused the %s's subscriptions: %s", event.client, event.refused)
                    self._refused[event.client].refused(now)
                if event.client == SHARE:
                    self._granted = event.refused is None
            case _:
                pass
        return False

    def listen_again(self, now: float) -> None:
        """The leader: has the broker say everything again that it retains."""
        if self._inbox is not None:
            self._inbox.subscribe()
        self._listen(now)

    def _listen(self, now: float) -> None:
        """A broker notices after one and a half keepalives that a connection is dead; until then that had its share."""
        self._listening = True
        self._listening_until = now + 2 * self._config.broker.keepalive_seconds

    def tick(self, now: float, *, caught_up: bool) -> None:
        """Tries again what was refused; ends listening when the shares suffice."""
        for client in self.clients:
            if self._refused[client.name].due(now):
                client.subscribe()
        if self._inbox is None or not self._listening:
            return
        if self._granted and caught_up and now >= self._listening_until:
            self._listening = False
            self._inbox.unsubscribe()

    def ack(self, message: Received) -> None:
        """Its effects are durable, or it waits and is retained."""
        for client in self.clients:
            if client.name == message.client:
                client.ack(message)
