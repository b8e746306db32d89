"""The demo's broker: iotcore (MQTT 5) in a process of its own, on loopback only. Never for production."""

from __future__ import annotations

import sys
import tempfile
import threading
from pathlib import Path

_CONFIG = """\
id = 0
[router]
id = 0
max_connections = 100
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


def main(port: int) -> None:
    """Serves until the process is ended."""
    from iotcore import Broker

    with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
        config.write(_CONFIG.format(port=port))
        config.flush()
        broker = Broker(config_path=str(Path(config.name)))
        broker.start()
        threading.Event().wait()


if __name__ == "__main__":
    main(int(sys.argv[1]))
