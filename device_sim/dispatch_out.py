"""Where dispatch documents go: a folder that is watched, or an MQTT 5 broker."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from device_sim import footage
from device_sim.dispatch import Delivery
from device_sim.errors import SimError, usage

_PATIENCE_SECONDS = 30.0
_UNSETTLED = 1000
FORGOTTEN_SECONDS = 120.0
"""What a broker that crashed may have forgotten: Mosquitto, as it is set up for this, saves once a minute."""


class Outlet(Protocol):
    """`send` returns where the document went; all that was sent has arrived once `settle` returns."""

    def send(self, delivery: Delivery) -> str:
        """Sends one document about an incident."""

    def settle(self) -> None:
        """Returns once everything sent has arrived."""


@dataclass(frozen=True)
class Login:
    """How to get into a broker."""

    username: str | None = None
    password_file: Path | None = None
    ca: Path | None = None
    cert: Path | None = None
    tls_key: Path | None = None


@contextlib.contextmanager
def outlet(target: str, agency: str, login: Login, forgotten: float = FORGOTTEN_SECONDS) -> Iterator[Outlet]:
    """A folder, or `mqtt://host[:port]`, `mqtts://host[:port]`. Raises SimError.

    What was sent in the last `forgotten` seconds is said again to a broker that was lost.
    """
    if "://" not in target:
        yield FolderOutlet(Path(target))
        return
    broker = BrokerOutlet(target, agency, login, forgotten)
    try:
        yield broker
    finally:
        broker.close()


class FolderOutlet:
    """`<incident_id>-<n>.eido.json`, each there whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def send(self, delivery: Delivery) -> str:
        """See Outlet: the file appears whole."""
        path = self._folder / f"{delivery.incident_id}-{delivery.number}.eido.json"
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(json.dumps(delivery.document))
        temporary.rename(path)
        return str(path)

    def settle(self) -> None:
        """A CAD export promises a whole file, not one that survives a power cut; the names are there."""
        footage.sync_folder(self._folder)


class BrokerOutlet:
    """QoS 1, not retained. A document has arrived when its PUBACK carries no failure code.

    A broker that crashed may have forgotten what it acknowledged: after a lost connection the last `forgotten` seconds
    are said again.
    """

    def __init__(self, url: str, agency: str, login: Login, forgotten: float) -> None:
        self._forgotten = forgotten
        self._root = f"bwc/v1/{agency}/cad"
        self._url = url
        self._news = threading.Condition()
        self._connected: ReasonCode | None = None
        self._acknowledged: dict[int, ReasonCode] = {}
        self._sent: dict[int, str] = {}
        self._recent: deque[tuple[float, str, bytes]] = deque()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        self._open(login)

    def send(self, delivery: Delivery) -> str:
        """See Outlet."""
        topic = f"{self._root}/{delivery.incident_id}"
        payload = json.dumps(delivery.document, separators=(",", ":")).encode()
        mid = self._client.publish(topic, payload, qos=1, retain=False).mid
        now = time.monotonic()
        with self._news:
            self._sent[mid] = topic
            self._recent.append((now, topic, payload))
            while now - self._recent[0][0] > self._forgotten:
                self._recent.popleft()
            many = len(self._sent) >= _UNSETTLED
        if many:  # message ids are 16 bits and come round again
            self.settle()
        return topic

    def settle(self) -> None:
        """See Outlet: once the broker has acknowledged."""
        with self._news:
            # as long as acknowledgements keep coming, however many there are, the broker is alive
            while missing := self._sent.keys() - self._acknowledged.keys():
                if not self._news.wait(_PATIENCE_SECONDS):
                    raise SimError(f"{len(missing)} documents were not acknowledged by {self._url}")
            refused = sorted(mid for mid in self._sent if self._acknowledged[mid].is_failure)
            if refused:
                reason = self._acknowledged[refused[0]]
                raise SimError(
                    f"the broker refused {len(refused)} documents, the first on {self._sent[refused[0]]}: {reason}",
                    hint="may this user publish there? see the broker's access list",
                )
            for mid in list(self._sent):
                del self._sent[mid], self._acknowledged[mid]

    def close(self) -> None:
        """Disconnects."""
        self._client.disconnect()
        self._client.loop_stop()

    def _open(self, login: Login) -> None:
        parts = urlsplit(self._url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise usage(f"cannot send to {self._url}", "a folder, mqtt://host:port or mqtts://host:port")
        secure = parts.scheme == "mqtts"
        self._log_in(login, secure)
        try:
            self._client.connect(parts.hostname, parts.port or (8883 if secure else 1883), keepalive=30)
        except (OSError, ValueError) as bad:
            raise SimError(f"cannot reach the broker {self._url}: {bad}", hint="is it running?") from bad
        self._client.loop_start()
        with self._news:
            answered = self._news.wait_for(lambda: self._connected is not None, _PATIENCE_SECONDS)
        if not answered or self._connected is None or self._connected.is_failure:
            self.close()
            raise SimError(f"the broker {self._url} does not let us in: {self._connected or 'no answer'}")

    def _log_in(self, login: Login, secure: bool) -> None:
        try:
            if login.username is not None:
                secret = login.password_file.read_text().rstrip("\n") if login.password_file else None
                self._client.username_pw_set(login.username, secret)
            if secure:
                context = ssl.create_default_context(cafile=str(login.ca) if login.ca else None)
                if login.cert is not None:
                    context.load_cert_chain(login.cert, login.tls_key)
                self._client.tls_set_context(context)
        except (OSError, ssl.SSLError) as bad:
            raise usage(f"cannot use the login for {self._url}", str(bad).lower()) from bad

    def _on_connect(self, _client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        with self._news:
            again = self._connected is not None and not reason.is_failure
            self._connected = reason
            for _, topic, payload in self._recent if again else ():
                self._sent[self._client.publish(topic, payload, qos=1, retain=False).mid] = topic
            self._news.notify_all()

    def _on_publish(self, _client: Client, _data: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        with self._news:
            self._acknowledged[mid] = reason
            self._news.notify_all()
