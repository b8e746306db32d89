"""The demo's broker: iotcore (MQTT 5) in a process of its own, on loopback only. Never for production.

A client that is reset between its CONNECT and the answer, and then comes again under the same name, makes iotcore 0.4
panic: a lock of its stays poisoned, and it lets nobody in from there on. On a busy machine a process that is killed
while it connects is enough. So the broker is asked every second whether it lets somebody in, and is started again in
its place when it does not; it keeps nothing then, as after any loss of a broker.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import tempfile
import time
from pathlib import Path

log = logging.getLogger(__name__)
_CONFIG = """\
id = 0
[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
[v5.1]
name = "demo"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = 1048576
max_inflight_count = 500
dynamic_filters = true
"""
_CONNECT = b"\x10\x10\x00\x04MQTT\x05\x02\x00\x0a\x00\x00\x03ask"  # MQTT 5.0 section 3.1, clean start, client id `ask`
_CONNACK, _DISCONNECT = b"\x20", b"\xe0\x00"
_ASK_EVERY, _REFUSALS = 1.0, 2


def main(port: int) -> None:
    """Serves until the process is ended."""
    from iotcore import Broker

    with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
        config.write(_CONFIG.format(port=port))
        config.flush()
        broker = Broker(config_path=str(Path(config.name)))
        broker.start()
        while not _reachable(port):
            time.sleep(0.02)
    refusals = 0
    while refusals < _REFUSALS:
        time.sleep(_ASK_EVERY)
        refusals = 0 if lets_in(port) else refusals + 1
    log.warning("the broker lets nobody in any more; it is started again, and keeps nothing")
    os.execv(sys.executable, [sys.executable, "-m", "daemon.cli.demo.broker", str(port)])  # noqa: S606 - ourselves


def lets_in(port: int) -> bool:
    """Whether a client is let in; one that is not answered for 30 seconds is not refused, only slow."""
    try:
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            connection.sendall(_CONNECT)
            answer = connection.recv(1)
            connection.sendall(_DISCONNECT)
    except TimeoutError:
        return True
    except OSError:
        return False
    return answer == _CONNACK


def _reachable(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main(int(sys.argv[1]))
