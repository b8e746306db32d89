"""Messages to the service manager (sd_notify(3)). Without $NOTIFY_SOCKET none is sent.

The loop that does the work sends the watchdog's messages, not a thread of its own: when the loop hangs, they stop, and
the service manager starts the service again.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from daemon.link.mqtt import MqttClient

_MOST_OFTEN = 2.0
"""Longest time between two watchdog messages, in seconds."""


class Notifier:
    """Sends the messages. It never raises: the service goes on when the service manager does not listen."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        watchdog = int(environment.get("WATCHDOG_USEC") or 0) / 1e6
        self._every = min(_MOST_OFTEN, watchdog / 4) if watchdog else _MOST_OFTEN
        self._fed = float("-inf")

    def ready(self) -> None:
        """The service works now: after its start, or after `reloading`."""
        self._say("READY=1")

    def alive(self, status: Callable[[], str]) -> None:
        """Feeds the watchdog and sends `status()`, a line of text. Called after each batch; sends only when due."""
        now = time.monotonic()
        if self._address and now - self._fed >= self._every:
            self._fed = now
            self._say("WATCHDOG=1", f"STATUS={status()}")

    def watched(self, status: Callable[[], str], *clients: MqttClient) -> None:
        """As `alive` while all clients' network threads run. If one has ended, does not feed: a restart follows."""
        if all(client.alive for client in clients):
            self.alive(status)
        else:
            self.status("a connection's thread has ended: waiting for the service manager to restart this service")

    def status(self, status: str) -> None:
        """Sends a status text, and does not feed the watchdog."""
        self._say(f"STATUS={status}")

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Use it around reading the configuration again."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
        yield
        self.ready()

    def stopping(self, status: str) -> None:
        """The service is stopping; `status` says why."""
        self._say("STOPPING=1", f"STATUS={status}")

    def _say(self, *lines: str) -> None:
        if not self._address:
            return
        message = "\n".join(line.replace("\n", " ") for line in lines).encode("utf-8", "replace")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            try:
                channel.connect(self._address)
                channel.send(message)
            except OSError:
                pass
