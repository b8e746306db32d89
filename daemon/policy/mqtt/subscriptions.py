"""What a policy service subscribes to, and over which connections.

The *inbox* belongs to the leader. It is an ordinary subscription in a session that the broker keeps, and the next
leader takes it over. A service that is alone on its store receives everything there.

Where several services use one store, each has its *share* of a shared subscription (MQTT 5, 4.8.2). The leader then
uses the inbox only when every share may have missed something. That can happen because the broker sends no retained
messages to shared subscriptions, and because the messages that it gave to a service may be lost when that service
ends. Everything that matters is retained, so the leader receives the retained messages again when it begins to lead,
and whenever a service has ended or has lost its connection.

If the broker refuses shared subscriptions, the leader keeps using the inbox, and the other services stand by.
"""

from __future__ import annotations

import logging
import uuid

from daemon.link.mqtt import Connected, Deliver, Disconnected, LinkEvent, MqttClient, Published, Received, Subscribed
from daemon.link.retry import RetryTimer
from daemon.model.config import PolicyConfig
from daemon.model.topics import Topics
from daemon.runtime.mailbox import Reload, Wake

log = logging.getLogger(__name__)
INBOX, SHARE = "inbox", "share"
"""The names of the two connections in link events."""
_GROUP = "policy"
_SESSION = 7 * 24 * 3600


def topic_filters(topics: Topics) -> tuple[str, ...]:
    """Everything a policy service subscribes to. Clips' notices count only when retained: new ones are announced."""
    return (
        topics.announcement("+", "+"),
        topics.clip("+", "+"),
        topics.attestation("+", "+", "+"),
        topics.query("+", "+"),
    )


def can_wait(topics: Topics, event: LinkEvent | Reload | Wake) -> bool:
    """Whether an event may wait a moment for more, to be handled with them in one transaction.

    Messages from docks and the broker's acknowledgements come in bursts and may wait. Attestations, requests and
    questions by people never wait.
    """
    match event:
        case Published():
            return True
        case Received():
            return topics.split(event.topic)[:1] == ("dock",)
        case _:
            return False


class Subscriptions:
    """The inbox and the share. All times are monotonic seconds and are passed in."""

    def __init__(self, config: PolicyConfig, topics: Topics, deliver: Deliver, *, shared: bool) -> None:
        """`deliver` gets the connections' events. `shared`: several services can use the store, so there is a share."""
        self._config = config
        self._deliver = deliver
        self._filters = topic_filters(topics)
        self._shared_filters = tuple(topic for topic in self._filters if topic != topics.clip("+", "+"))
        self._inbox: MqttClient | None = None
        self._share = self._make_share() if shared else None
        self._share_granted = False
        self._share_connections = 0
        self._inbox_in_use = False
        self._inbox_needed_until = float("-inf")
        self._refused = {INBOX: RetryTimer(), SHARE: RetryTimer()}
        self.connected = False
        """Whether the share's connection is open."""

    def _make_share(self) -> MqttClient:
        """Its client id and session end with the process, so that the broker gives nothing to a service that ended."""
        client_id = f"{self._config.agency}-policy-{uuid.uuid4().hex[:12]}"
        filters = tuple(f"$share/{_GROUP}/{topic}" for topic in self._shared_filters)
        return MqttClient(self._config.broker, client_id, self._deliver, name=SHARE, subscriptions=filters)

    @property
    def clients(self) -> list[MqttClient]:
        """The connections that exist now."""
        return [client for client in (self._share, self._inbox) if client is not None]

    def start(self) -> None:
        """Opens the share, if there is one. The inbox is opened by `open_inbox`."""
        if self._share is not None:
            self._share.start()

    def open_inbox(self, now: float) -> None:
        """This service begins to lead: opens the inbox."""
        self._inbox = MqttClient(
            self._config.broker,
            f"{self._config.agency}-policy-inbox",
            self._deliver,
            name=INBOX,
            subscriptions=self._filters,
            session_seconds=_SESSION,
        )
        self._inbox.start()
        self._use_inbox(now)

    def close_inbox(self) -> None:
        """Another service may lead: leaves the inbox to it."""
        if self._inbox is not None:
            self._inbox.stop()
            self._inbox = None

    def handle(self, event: LinkEvent, now: float) -> bool:
        """Takes note of an event of the inbox or the share. True when messages may have been lost with a connection."""
        match event:
            case Connected(client="share"):
                self.connected = True
                self._share_connections += 1
                self._refused[SHARE].clear()
                return self._share_connections > 1
            case Disconnected(client="share"):
                self.connected = self._share_granted = False
            case Connected(client="inbox"):
                self._refused[INBOX].clear()
                self._use_inbox(now)
            case Subscribed():
                if event.refused:
                    log.error("the broker refused the %s's subscriptions: %s", event.client, event.refused)
                    self._refused[event.client].refused(now)
                if event.client == SHARE:
                    self._share_granted = event.refused is None
            case _:
                pass
        return False

    def resubscribe_inbox(self, now: float) -> None:
        """The leader: subscribes again, so that the broker sends again all that it retains."""
        if self._inbox is not None:
            self._inbox.subscribe()
        self._use_inbox(now)

    def _use_inbox(self, now: float) -> None:
        """Uses the inbox for two keepalives at least.

        A broker notices a dead connection after one and a half, and gives it a share until then (MQTT 5, 3.1.2.10).
        """
        self._inbox_in_use = True
        self._inbox_needed_until = now + 2 * self._config.broker.keepalive_seconds

    def tick(self, now: float, *, caught_up: bool) -> None:
        """Retries refused subscriptions. Stops using the inbox when the shares receive everything.

        `caught_up`: all retained messages have come.
        """
        for client in self.clients:
            if self._refused[client.name].due(now):
                client.subscribe()
        if self._inbox is None or not self._inbox_in_use:
            return
        if self._share_granted and caught_up and now >= self._inbox_needed_until:
            self._inbox_in_use = False
            self._inbox.unsubscribe()

    def ack(self, message: Received) -> None:
        """Acknowledges a message. Its effects are durable, or it waits and the broker retains it."""
        for client in self.clients:
            if client.name == message.client:
                client.ack(message)
