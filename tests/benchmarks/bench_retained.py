"""What 180 days of a citywide fleet cost the broker: 560,000 retained notices, and what a new subscriber waits for."""

from __future__ import annotations

import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from daemon.cli.demo.stage import free_port
from daemon.cli.demo.world import DOCK
from daemon.link.session import Session
from tests.benchmarks.measure import pss
from tests.kit.mosquitto import Mosquitto, debian
from tests.kit.precinct import Precinct, running

COUNT = 560_000
_PATIENCE = 900.0


def run(count: int = COUNT) -> dict[str, Any]:
    """Mosquitto's memory for a notice and for all; seconds until a subscriber without any has them all."""
    with tempfile.TemporaryDirectory() as folder:
        notice = _notice(Path(folder) / "precinct")
        port = free_port()
        place = Path(folder) / "broker"
        place.mkdir()
        own = f"listener {port} 127.0.0.1\nallow_anonymous true\nautosave_interval 60\nautosave_on_changes false\n"
        own += "max_queued_messages 100000000\nmax_inflight_messages 20\n"  # as in the configuration that ships
        config = debian(place, own).replace("log_type all", "log_type information")  # not a line for each message
        with Mosquitto(place, config, port) as broker:
            before = pss(broker.pid)
            publishing = _publish(port, notice, count)
            memory = pss(broker.pid) - before
            subscribing = _subscribe(port, count)
            started = time.monotonic()
            broker.stop()
            saving = time.monotonic() - started
            kept = (place / "kept" / "mosquitto.db").stat().st_size
    return {
        "notices": count,
        "bytes_a_notice": len(notice),
        "memory_mb": memory / 1e6,
        "memory_bytes_a_notice": memory / count,
        "kept_on_disk_mb": kept / 1e6,
        "published_a_second": count / publishing,
        "seconds_for_a_new_subscriber": subscribing,
        "seconds_to_save": saving,
    }


def _notice(folder: Path) -> bytes:
    """One that a dock has announced."""
    folder.mkdir()
    with running(folder) as precinct:
        precinct.dock_camera("bay-1")
        return _announced(precinct)


def _announced(precinct: Precinct) -> bytes:
    with Session(precinct.broker, (precinct.topics.clip(DOCK, "+"),)) as session:
        message = session.wait(lambda heard: bool(heard.payload), 30)
    assert message is not None, "no clip was announced"
    return message.payload


def _client(port: int) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


def _publish(port: int, notice: bytes, count: int) -> float:
    """Each under a clip's topic of its own; returns once the broker has answered for the last."""
    client, started = _client(port), time.monotonic()
    for number in range(count):
        topic = f"bwc/v1/portland/dock/dock-{number % 12:02}/clip/{uuid.UUID(int=number)}"
        said = client.publish(topic, notice, qos=1, retain=True)
        if number % 1000 == 999 or number == count - 1:
            said.wait_for_publish(_PATIENCE)
    client.disconnect()
    client.loop_stop()
    return time.monotonic() - started


def _subscribe(port: int, count: int) -> float:
    heard, all_heard = 0, threading.Event()

    def hear(_client: Client, _data: Any, _message: MQTTMessage) -> None:
        nonlocal heard
        heard += 1
        if heard == count:
            all_heard.set()

    client, started = _client(port), time.monotonic()
    client.on_message = hear
    client.subscribe("bwc/v1/portland/dock/+/clip/+", qos=1)
    assert all_heard.wait(_PATIENCE), f"heard {heard} of {count} notices"
    client.disconnect()
    client.loop_stop()
    return time.monotonic() - started
