"""A broker without shared subscriptions: Mosquitto behind something that answers for it where they are asked for.

Mosquitto has no setting for that. MQTT 5 has two ways to say it: in CONNACK, and in the SUBACK to whoever asks.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Literal

_CONNACK, _SUBSCRIBE = 2, 8
_NOT_SUPPORTED = 0x9E


class Refusing:
    """Listens on `port`, forwards to `target`. A context manager. `asked`: how often a share was asked for."""

    def __init__(self, target: int, how: Literal["connack", "suback"]) -> None:
        self.asked = 0
        self._target, self._how = target, how
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Refusing:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target), 5) as broker:
            broker.settimeout(None)
            up = threading.Thread(target=self._carry, args=(client, broker, True), daemon=True)
            up.start()
            self._carry(broker, client, False)
            up.join()

    def _carry(self, source: socket.socket, target: socket.socket, up: bool) -> None:
        with contextlib.suppress(OSError):
            while packet := _packet(source):
                kind, body = packet[0] >> 4, packet[1]
                if up and kind == _SUBSCRIBE and b"$share/" in body:
                    self.asked += 1
                    refused = bytes([_NOT_SUPPORTED]) * body.count(b"$share/")
                    source.sendall(_encoded(0x90, body[:2] + b"\x00" + refused))
                    continue
                if not up and kind == _CONNACK and self._how == "connack":
                    assert body[2] < 100
                    body = body[:2] + bytes([body[2] + 2]) + body[3:] + b"\x2a\x00"  # Shared Subscription Available: no
                target.sendall(_encoded(packet[0], body))
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def _packet(source: socket.socket) -> tuple[int, bytes] | None:
    """The next control packet: its first byte, and what comes after the length."""
    first = source.recv(1)
    if not first:
        return None
    length = shift = 0
    while True:
        byte = source.recv(1)[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    body = b""
    while len(body) < length:
        body += source.recv(length - len(body))
    return first[0], body


def _encoded(first: int, body: bytes) -> bytes:
    length, left = b"", len(body)
    while True:
        left, byte = left >> 7, left & 0x7F
        length += bytes([byte | (0x80 if left else 0)])
        if not left:
            return bytes([first]) + length + body
