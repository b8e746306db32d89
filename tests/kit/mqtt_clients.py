"""A real broker, Mosquitto, on a free port of loopback."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from daemon.cli.demo.stage import free_port
from daemon.link.mqtt import Connected, LinkEvent, MqttClient, Received, Subscribed
from daemon.model.config import Broker
from tests.kit.mosquitto import Mosquitto, debian
from tests.kit.patience import PATIENCE

SECONDS = PATIENCE
E = TypeVar("E")


def reach(mosquitto: Mosquitto) -> Broker:
    """The configuration for speaking to it."""
    return Broker(url=f"mqtt://127.0.0.1:{mosquitto.port}", keepalive_seconds=5)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite #\ntopic deny forbidden/#\n")
    port = free_port()
    own = f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_packet_size 20000\nacl_file {acl}\n"
    with Mosquitto(tmp_path, debian(tmp_path, own), port) as broker:
        yield broker


class Watched:
    """A client whose events are kept until somebody asks for one."""

    def __init__(self, broker: Broker, client_id: str, **options: object) -> None:
        self.events: queue.SimpleQueue[LinkEvent] = queue.SimpleQueue()
        self.client = MqttClient(broker, client_id, self.events.put, name=client_id, **options)  # type: ignore[arg-type]
        self.subscribes = bool(options.get("subscriptions"))

    def connect(self) -> Connected:
        self.client.start()
        connected = self.next(Connected)
        if self.subscribes:
            self.next(Subscribed)
        return connected

    def next(self, kind: type[E], wanted: Callable[[E], bool] = lambda _: True) -> E:
        """The next event of this kind; others before it are dropped."""
        end = time.monotonic() + SECONDS
        while True:
            event = self.events.get(timeout=max(0.0, end - time.monotonic()))
            if isinstance(event, kind) and wanted(event):
                return event

    def take(self) -> Received:
        """The next message, acknowledged."""
        message = self.next(Received)
        self.client.ack(message)
        return message


@pytest.fixture
def watched(mosquitto: Mosquitto) -> Iterator[Callable[..., Watched]]:
    """Makes clients; they are stopped at the end."""
    made: list[Watched] = []

    def make(client_id: str, **options: object) -> Watched:
        made.append(Watched(reach(mosquitto), client_id, **options))
        return made[-1]

    yield make
    for one in made:
        one.client.stop()
