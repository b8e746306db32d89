"""A small TCP proxy on loopback between a client and the broker: it delays, throttles, swallows and cuts.

It knows nothing of MQTT or TLS: it is the network.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: closing sends RST


@dataclass
class Weather:
    """How the network is just now. Changed from outside at any time."""

    delay: float = 0.0
    """Seconds that each piece takes, in both directions."""
    bytes_per_second: float = 0.0
    """0: as fast as it goes."""
    swallow_up: bool = False
    """What clients send is accepted and goes nowhere."""
    swallow_down: bool = False
    """What the broker sends goes nowhere."""
    closed: bool = False
    """New connections are reset at once."""
    cut_after: int = 0
    """Each connection is cut when it has carried so many bytes up. 0: never."""


class Proxy:
    """Listens on `port`, forwards to `target`. A context manager."""

    def __init__(self, target: int) -> None:
        self.weather = Weather()
        self.connections = 0
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._ended = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Resets every connection there is."""
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._ended:
            try:
                ready, _, _ = select.select([self._listener], [], [], 0.2)
                if not ready:
                    continue
                client, _ = self._listener.accept()
            except (OSError, ValueError):
                return
            self.connections += 1
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        if self.weather.closed:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            client.close()
            return
        try:
            broker = socket.create_connection(("127.0.0.1", self._target), 5)
        except OSError:
            client.close()
            return
        broker.settimeout(None)
        with self._lock:
            self._open |= {client, broker}
        down = threading.Thread(target=self._copy, args=(broker, client, False), daemon=True)
        down.start()
        self._copy(client, broker, True)
        down.join()
        with self._lock:
            self._open -= {client, broker}
        client.close()
        broker.close()

    def _copy(self, source: socket.socket, target: socket.socket, up: bool) -> None:
        carried = 0
        try:
            while data := source.recv(4096):
                weather = self.weather
                if weather.delay:
                    time.sleep(weather.delay)
                if weather.bytes_per_second:
                    time.sleep(len(data) / weather.bytes_per_second)
                carried += len(data)
                if up and 0 < weather.cut_after < carried:
                    break
                if not (weather.swallow_up if up else weather.swallow_down):
                    target.sendall(data)
        except OSError:
            pass
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
