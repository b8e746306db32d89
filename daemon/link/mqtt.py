"""A paho MQTT 5 client with our settings and safe callbacks.

An exception in a paho callback ends paho's network thread, and nothing is logged. So every callback here only makes an
event and passes it to `deliver`, which must not raise and must not block.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from daemon.link.credentials import Credentials, read_credentials
from daemon.model.config import Broker


@dataclass(frozen=True)
class Connected:
    """The broker accepted us. `max_packet` is the largest packet it takes, in bytes (None: it named no limit).

    `forgotten`: we asked it to keep our session, and it has none any more. Messages it had queued for us may be lost.
    """

    client: str
    max_packet: int | None
    forgotten: bool = False


@dataclass(frozen=True)
class Disconnected:
    """The connection was lost, or could not be made."""

    client: str
    reason: str


@dataclass(frozen=True)
class Published:
    """The broker answered a publish. `refused` is the reason if it refused the message, None if it took it."""

    client: str
    mid: int
    refused: str | None


@dataclass(frozen=True)
class Received:
    """A message, not acknowledged yet. Call `MqttClient.ack` when everything that it caused is durable."""

    client: str
    topic: str
    payload: bytes
    retained: bool
    mid: int
    qos: int
    connection: int = 0
    """The number of the connection it came on. On another connection the same `mid` is another message."""


@dataclass(frozen=True)
class Subscribed:
    """The broker answered a subscribe. `refused` is the reason if it refused one, None if it granted all."""

    client: str
    refused: str | None


def _options(topic: str) -> SubscribeOptions:
    """A shared subscription gets no retained messages (MQTT 5, section 4.8.2). Mosquitto 2.0.11 sends them."""
    if topic.startswith("$share/"):
        return SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
    return SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE)


LinkEvent = Connected | Disconnected | Published | Received | Subscribed
Deliver = Callable[[LinkEvent], None]
RECONNECT_SECONDS = (1, 15)
"""Seconds to wait before connecting again: the first time, and at most."""


class MqttClient:
    """One connection to the broker. Paho's own thread keeps it open. Its events carry `name`."""

    def __init__(
        self,
        broker: Broker,
        client_id: str,
        deliver: Deliver,
        *,
        name: str = "",
        subscriptions: tuple[str, ...] = (),
        session_seconds: int = 0,
        will: tuple[str, bytes] | None = None,
    ) -> None:
        """`session_seconds` > 0: the broker keeps the session and its queued messages for so long after a disconnect.

        `will` is a topic and a payload that the broker publishes, retained, when the connection is lost.
        Raises ConfigurationError for certificates or passwords that cannot be read.
        """
        self._broker = broker
        self._credentials = read_credentials(broker)
        self._client_id = client_id
        self._will = will
        self._deliver = deliver
        self._name = name
        self._subscriptions = subscriptions
        self._session_seconds = session_seconds
        self.connection = 0
        """The number of the current connection, from 1; 0 before the first."""
        self._started = False
        self._network: threading.Thread | None = None
        self._client = self._make()

    def _make(self) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=paho.MQTTv5,
            manual_ack=bool(self._subscriptions),
        )
        client.reconnect_delay_set(*RECONNECT_SECONDS)
        if self._credentials.username is not None:
            client.username_pw_set(self._credentials.username, self._credentials.password)
        if self._credentials.tls is not None:
            client.tls_set_context(self._credentials.tls)
        if self._will is not None:
            properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
            properties.WillDelayInterval = 5  # seconds: a short reconnect does not publish the will
            client.will_set(*self._will, qos=1, retain=True, properties=properties)
        return client

    def start(self) -> None:
        """Connects in the background, and tries again until it succeeds."""
        self._listen()
        host, port = self._broker.address
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._session_seconds
        properties.ReceiveMaximum = 100
        self._client.connect_async(
            host,
            port,
            keepalive=self._broker.keepalive_seconds,
            clean_start=self._session_seconds == 0,
            properties=properties,
        )
        self._started = True
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnects, and waits for the network thread."""
        self._client.disconnect()
        self._client.loop_stop()
        self._started = False
        self._leave()

    def _listen(self) -> None:
        client = self._client
        client.on_pre_connect = self._on_pre_connect
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe

    def _leave(self) -> None:
        """Removes paho's references to this object, so that paho's client and its two sockets are freed at once.

        Otherwise they stay open until the garbage collector runs, and paho uses select(2), which fails when a
        process has more than 1,024 open files.
        """
        client = self._client
        client.on_pre_connect = client.on_connect = client.on_disconnect = None
        client.on_publish = client.on_message = client.on_subscribe = None

    def renew(self, credentials: Credentials) -> bool:
        """Connects again if `credentials` differ from those in use; returns whether. The session, if any, is kept.

        Returns when the old connection has ended. This can take as long as an attempt to connect to a broker that does
        not answer. Messages on their way get no answer any more: their sender sends them again on Connected, as after
        every lost connection.
        """
        if credentials.fingerprint == self._credentials.fingerprint:
            return False
        self._credentials = credentials
        self.stop()  # first: of two connections with one client id the broker ends the older, and publishes its will
        self.connection += 1
        self._client = self._make()
        self.start()
        return True

    @property
    def name(self) -> str:
        """The name that its events carry."""
        return self._name

    @property
    def alive(self) -> bool:
        """Whether the network thread runs: it was started, and no error in a callback has ended it."""
        return self._started and (self._network is None or self._network.is_alive())

    def publish(self, topic: str, payload: bytes, *, retain: bool, keep_seconds: int | None = None) -> int | None:
        """Hands a QoS 1 message to the network thread. Returns its message id, or None when it was not accepted.

        `keep_seconds`: how long the broker keeps it (MQTT 5, section 3.3.2.3.3), without end when not given.
        """
        properties = None
        if keep_seconds is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.MessageExpiryInterval = keep_seconds
        info = self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        return info.mid if info.rc == paho.MQTT_ERR_SUCCESS else None

    def publish_last(self, topic: str, payload: bytes, seconds: float = 2.0) -> None:
        """Publishes a last retained message before `stop`. Waits until it is sent, at most `seconds`."""
        info = self._client.publish(topic, payload, qos=1, retain=True)
        if info.rc == paho.MQTT_ERR_SUCCESS:
            info.wait_for_publish(seconds)

    def ack(self, message: Received) -> None:
        """Acknowledges a message. One of an earlier connection is ignored: the broker sends it again on the new one."""
        if message.connection == self.connection:
            self._client.ack(message.mid, message.qos)

    def subscribe(self) -> None:
        """Asks the broker for all subscriptions again, after it refused one."""
        if self._subscriptions:
            self._client.subscribe([(topic, _options(topic)) for topic in self._subscriptions])

    def unsubscribe(self) -> None:
        """Ends the subscriptions, until `subscribe` or the next connection."""
        self._client.unsubscribe(list(self._subscriptions))

    def _on_pre_connect(self, _c: Any, _u: Any) -> None:
        self._network = threading.current_thread()  # paho has no public name for its thread

    def _on_connect(self, client: paho.Client, _u: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._deliver(Disconnected(self._name, f"the broker refused the connection: {reason}"))
            return
        self.connection += 1
        client.drop_out_messages()  # the owner sends again what was not acknowledged; paho must not
        forgotten = self._session_seconds > 0 and not flags.session_present
        self._deliver(Connected(self._name, getattr(properties, "MaximumPacketSize", None), forgotten))
        if any(topic.startswith("$share/") for topic in self._subscriptions) and not getattr(
            properties, "SharedSubscriptionAvailable", 1
        ):
            self._deliver(Subscribed(self._name, "it has no shared subscriptions"))  # asking would end the connection
        else:
            self.subscribe()

    def _on_disconnect(self, _c: Any, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        self._deliver(Disconnected(self._name, str(reason)))

    def _on_publish(self, _c: Any, _u: Any, mid: int, reason: Any, _p: Any) -> None:
        self._deliver(Published(self._name, mid, str(reason) if reason.is_failure else None))

    def _on_subscribe(self, _c: Any, _u: Any, _mid: int, reasons: list[Any], _p: Any) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        self._deliver(Subscribed(self._name, refused[0] if refused else None))

    def _on_message(self, _c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        self._deliver(
            Received(
                self._name,
                message.topic,
                bytes(message.payload),
                message.retain,
                message.mid,
                message.qos,
                self.connection,
            )
        )
