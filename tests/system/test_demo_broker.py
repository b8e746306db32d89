"""The demo's broker: whatever happens to one connection, the next is served."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest

from daemon.cli.demo.stage import free_port
from tests.kit.precinct import wait_until


def connect_packet(client_id: str) -> bytes:
    """An MQTT 5 CONNECT, clean start, keep alive 60 s (MQTT 5.0 section 3.1)."""
    name = client_id.encode()
    body = b"\x00\x04MQTT\x05\x02\x00\x3c\x00" + struct.pack("!H", len(name)) + name
    return bytes([0x10, len(body)]) + body


@pytest.fixture
def port() -> Iterator[int]:
    chosen = free_port()
    broker = subprocess.Popen([sys.executable, "-m", "daemon.cli.demo.broker", str(chosen)])
    try:
        wait_until(lambda: answers(chosen, "first"), "the broker")
        yield chosen
    finally:
        broker.terminate()
        broker.wait(30)


def answers(port: int, client_id: str) -> bool:
    """Whether a connection under this name is let in."""
    try:
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            connection.sendall(connect_packet(client_id))
            return connection.recv(1) == b"\x20"
    except OSError:
        return False


def test_a_client_that_is_reset_before_its_answer_costs_no_other_its_connection(port: int) -> None:
    """A process killed while it connects; its successor connects under the same name.

    iotcore 0.4 then panics, and refuses everybody from there on: "no connection within 10 s" on busy machines.
    """
    for _ in range(50):
        torn = socket.create_connection(("127.0.0.1", port), 30)
        torn.sendall(connect_packet("dock"))
        torn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        torn.close()
    wait_until(lambda: answers(port, "dock") and answers(port, "other"), "the broker to serve again")
