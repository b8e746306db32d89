"""A real broker, Mosquitto, on a free port of loopback."""

from __future__ import annotations

import queue
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from daemon.link.mqtt import Connected, LinkEvent, MqttClient, Received, Subscribed
from daemon.model.config import Broker

SECONDS = 10.0
E = TypeVar("E")


class Mosquitto:
    """One broker, which can be stopped and started again on its port."""

    def __init__(self, program: str, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        acl = folder / "acl"
        acl.write_text("topic readwrite #\ntopic deny forbidden/#\n")
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nmax_packet_size 20000\n"
            f"acl_file {acl}\nuser root\nlog_dest none\n"
        )
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert self._process.poll() is None, "the broker ended at once"
                time.sleep(0.01)
            else:
                return
        raise AssertionError("the broker does not answer")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def config(self) -> Broker:
        return Broker(url=f"mqtt://127.0.0.1:{self.port}", keepalive_seconds=5)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("mosquitto is not installed")
    broker = Mosquitto(program, tmp_path)
    broker.start()
    yield broker
    broker.stop()


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
        made.append(Watched(mosquitto.config, client_id, **options))
        return made[-1]

    yield make
    for one in made:
        one.client.stop()
