"""A paho MQTT 5 client as anybody could write one: it knows nothing of our link, and tries what it likes."""

from __future__ import annotations

import queue
import socket
import ssl
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

SECONDS = 10.0
NOT_AUTHORIZED = 0x87
TAKEN = {0x00, 0x10}
"""Success, and success though nobody listens."""


class RefusedError(Exception):
    """The broker did not let us in."""


class Caller:
    """One connection. What comes in is kept in `heard`, as (topic, payload) pairs."""

    def __init__(
        self,
        port: int,
        ca: Path,
        pair: Path | None,
        *,
        client_id: str = "",
        username: str | None = None,
        will: str | None = None,
        session: bool = False,
    ) -> None:
        """`pair` names the certificate without its suffix; None goes without one."""
        self.heard: list[tuple[str, bytes]] = []
        self.properties: Any = None
        self._events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        client = self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5, reconnect_on_failure=False
        )
        context = ssl.create_default_context(cafile=str(ca))
        if pair is not None:
            context.load_cert_chain(pair.with_name(f"{pair.name}.pem"), pair.with_name(f"{pair.name}.key"))
        client.tls_set_context(context)
        if username is not None:
            client.username_pw_set(username, "anything")
        if will is not None:
            client.will_set(will, b"my last will", qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = lambda _c, _u, _f, reason, _p: self._events.put(("gone", reason))
        client.on_publish = lambda _c, _u, mid, reason, _p: self._events.put((f"published {mid}", reason))
        client.on_subscribe = lambda _c, _u, mid, reasons, _p: self._events.put((f"subscribed {mid}", reasons))
        client.on_message = lambda _c, _u, message: self.heard.append((message.topic, bytes(message.payload)))
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        if session:
            properties.SessionExpiryInterval = 3600
        try:
            client.connect("127.0.0.1", port, clean_start=not session, properties=properties)
        except (OSError, ssl.SSLError) as error:
            raise RefusedError(str(error)) from error
        client.loop_start()
        what, value = self._events.get(timeout=SECONDS)
        if what != "connected":
            client.loop_stop()
            raise RefusedError(str(value))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes = b"x", *, retain: bool = False) -> int:
        """The broker's reason code."""
        mid = self._client.publish(topic, payload, qos=1, retain=retain).mid
        return int(self._await(f"published {mid}").value)

    def publish_unanswered(self, topic: str, payload: bytes) -> None:
        """Sends it, and waits for no answer."""
        self._client.publish(topic, payload, qos=1)

    def subscribe(self, *topics: str, qos: int = 0) -> None:
        """With QoS 0 a message is sent the moment it comes in, so that `barrier` covers it."""
        _, mid = self._client.subscribe([(topic, qos) for topic in topics])
        self._await(f"subscribed {mid}")

    def barrier(self) -> None:
        """Everything the broker sent us before now has arrived: it answers this in order."""
        self.subscribe("barrier")

    def await_end(self) -> None:
        """Waits until the broker ends this connection."""
        self._await("gone")

    def drop(self) -> None:
        """Gone without a word, as a cable that is cut: the will is due."""
        connection = self._client.socket()
        assert isinstance(connection, ssl.SSLSocket)
        connection.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()

    def _await(self, wanted: str) -> Any:
        end = time.monotonic() + SECONDS
        while True:
            what, value = self._events.get(timeout=max(0.0, end - time.monotonic()))
            if what == wanted:
                return value
            assert what != "gone", f"the broker ended the connection: {value}"

    def _on_connect(self, _c: Any, _u: Any, _f: Any, reason: Any, properties: Any) -> None:
        self.properties = properties
        self._events.put(("refused" if reason.is_failure else "connected", reason))
