"""Documents over a real MQTT 5 broker on loopback, and over one that refuses them."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import iotcore
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

_BROKER = """
id = 0
[router]
id = 0
max_connections = 10
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
[v5.1]
name = "loopback"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
[v5.1.connections]
connection_timeout_ms = 5000
max_payload_size = 1048576
max_inflight_count = 100
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    config = tmp_path / "broker.toml"
    config.write_text(_BROKER.format(port=port))
    with iotcore.Broker(config_path=str(config)):
        yield port


@contextlib.contextmanager
def listening(port: int) -> Iterator[list[MQTTMessage]]:
    """Everything published under `bwc/` that reaches a new subscriber."""
    messages: list[MQTTMessage] = []
    ready = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _client, _data, message: messages.append(message)
    client.connect("127.0.0.1", port)
    client.subscribe("bwc/#", qos=1)
    client.loop_start()
    try:
        assert ready.wait(90)
        yield messages
    finally:
        client.disconnect()
        client.loop_stop()


def wait_for(messages: list[MQTTMessage], count: int) -> None:
    deadline = time.monotonic() + 10
    while len(messages) < count and time.monotonic() < deadline:
        time.sleep(0.01)


def test_every_document_is_published_once(broker: int, sim: Any) -> None:
    to = f"mqtt://127.0.0.1:{broker}"
    with listening(broker) as heard:
        result = sim("dispatch", "--incidents", "40", "--seed", "3", "--to", to, "--agency", "testville", "--json")
        assert result.code == 0, result.err
        wait_for(heard, result.document["documents"])
    assert len(heard) == result.document["documents"] > 100
    for message in heard:
        document = json.loads(message.payload)
        document = document["event"]["notification"][0] if "event" in document else document
        incident_id = document["incidentComponent"][0]["internalIncidentId"]
        assert message.topic == f"bwc/v1/testville/cad/{incident_id}"
        assert message.qos == 1
    assert set(result.document["places"]) == {message.topic for message in heard}


def test_nothing_is_retained(broker: int, sim: Any) -> None:
    to = f"mqtt://127.0.0.1:{broker}"
    assert sim("dispatch", "--incidents", "3", "--seed", "3", "--to", to, "--agency", "before").code == 0
    with listening(broker) as heard:  # what is retained comes ahead of anything new
        assert sim("dispatch", "--incidents", "1", "--seed", "3", "--to", to, "--agency", "after").code == 0
        wait_for(heard, 1)
    assert heard[0].topic.startswith("bwc/v1/after/")


def test_no_broker(sim: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    result = sim("dispatch", "--incidents", "1", "--to", f"mqtt://127.0.0.1:{port}")
    assert result.code == 1
    assert result.err.startswith("error: cannot reach the broker")
    assert "\nhint: " in result.err


@pytest.mark.parametrize("url", ["http://127.0.0.1", "mqtt://"])
def test_a_target_that_is_none(sim: Any, url: str) -> None:
    assert sim("dispatch", "--incidents", "1", "--to", url).code == 2


def test_a_refused_document_is_a_failure(sim: Any) -> None:
    """A broker whose access list says no still sends PUBACK: only the reason code tells (MQTT 5 section 3.4.2.1)."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        broker = threading.Thread(target=_refusing, args=(server,))
        broker.start()
        result = sim("dispatch", "--incidents", "1", "--to", f"mqtt://127.0.0.1:{server.getsockname()[1]}")
        broker.join()
    assert result.code == 1
    assert "Not authorized" in result.err


def _refusing(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection, connection.makefile("rb") as stream:
        while head := stream.read(1):
            body = stream.read(_remaining(stream))
            if head[0] >> 4 == 1:  # CONNECT
                connection.sendall(bytes([0x20, 3, 0, 0, 0]))
            elif head[0] >> 4 == 3:  # PUBLISH
                topic = int.from_bytes(body[:2], "big")
                connection.sendall(bytes([0x40, 3]) + body[2 + topic : 4 + topic] + b"\x87")
            elif head[0] >> 4 == 14:  # DISCONNECT
                return


def _remaining(stream: Any) -> int:
    length = shift = 0
    while True:
        digit = int(stream.read(1)[0])
        length |= (digit & 0x7F) << shift
        if digit < 0x80:
            return length
        shift += 7
