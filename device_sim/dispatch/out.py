"""Where dispatch documents are sent: a watched folder, or an MQTT 5 broker."""

from __future__ import annotations

import contextlib
import hashlib
import json
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from device_sim.camera import footage
from device_sim.dispatch.center import Delivery
from device_sim.errors import SimError, usage

_PATIENCE_SECONDS = 30.0
_UNSETTLED = 1000
"""How many documents may wait for their acknowledgement."""
_LONGEST = 200
"""The longest name of an incident in a file's name."""
FORGOTTEN_SECONDS = 120.0
"""How many seconds of messages a broker may lose when it crashes. Mosquitto, as configured here, saves each minute."""


class Outlet(Protocol):
    """Sends documents. When `settle` returns, all documents that were sent have arrived."""

    def send(self, delivery: Delivery) -> str:
        """Sends one document about an incident. Returns where it was sent: a path or a topic."""

    def settle(self) -> None:
        """Waits until every sent document has arrived. Raises SimError when one does not."""


@dataclass(frozen=True)
class Login:
    """How to log in at a broker."""

    username: str | None = None
    password_file: Path | None = None
    ca: Path | None = None
    cert: Path | None = None
    tls_key: Path | None = None


@contextlib.contextmanager
def outlet(target: str, agency: str, login: Login, forgotten: float = FORGOTTEN_SECONDS) -> Iterator[Outlet]:
    """The outlet for a folder, `mqtt://host[:port]` or `mqtts://host[:port]`. Raises SimError.

    After a lost connection, the messages of the last `forgotten` seconds are sent to the broker again.
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
    """Writes files `<incident>-<n>.eido.json`. Each appears complete, by a rename."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def send(self, delivery: Delivery) -> str:
        """See Outlet. Returns the file's path."""
        path = self._folder / f"{file_stem(delivery.incident_id)}-{delivery.number}.eido.json"
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(json.dumps(delivery.document))
        temporary.rename(path)
        return str(path)

    def settle(self) -> None:
        """See Outlet. Makes the names durable. A dispatch system's export does not promise more."""
        footage.sync_folder(self._folder)


class BrokerOutlet:
    """Publishes with QoS 1, not retained. A document has arrived when its PUBACK has no failure code.

    A broker that crashes may lose messages that it has acknowledged, so after a lost connection the messages of the
    last `forgotten` seconds are sent again.
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
        topic = f"{self._root}/{topic_level(delivery.incident_id)}"
        payload = json.dumps(delivery.document, separators=(",", ":")).encode()
        mid = self._client.publish(topic, payload, qos=1, retain=False).mid
        now = time.monotonic()
        with self._news:
            self._sent[mid] = topic
            self._recent.append((now, topic, payload))
            while now - self._recent[0][0] > self._forgotten:
                self._recent.popleft()
            many = len(self._sent) >= _UNSETTLED
        if many:  # a message id has 16 bits, and is used again
            self.settle()
        return topic

    def settle(self) -> None:
        """See Outlet: waits for the broker's acknowledgements. Raises SimError also when it refused a document."""
        with self._news:
            # wait as long as acknowledgements come, however many: the broker works
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
            raise usage(f"cannot send to {self._url}", "give a folder, mqtt://host:port or mqtts://host:port")
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
            raise SimError(f"the broker {self._url} refuses the connection: {self._connected or 'no answer'}")

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


def topic_level(incident_id: str) -> str:
    """Percent-encoded, as the protocol has it (section 1): letters, digits, `.`, `_` and `-` stay."""
    return "%2E" * len(incident_id) if incident_id in {".", ".."} else quote(incident_id, safe="").replace("~", "%7E")


def file_stem(incident_id: str) -> str:
    """The same, shortened where a filesystem would refuse it."""
    name = topic_level(incident_id)
    return name if len(name) <= _LONGEST else name[:_LONGEST] + hashlib.sha256(name.encode()).hexdigest()[:16]
