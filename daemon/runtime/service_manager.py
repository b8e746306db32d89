"""What the service manager is told: sd_notify(3). Without $NOTIFY_SOCKET nothing is said.

The watchdog is fed from the loop that does the work, never from a thread of its own: a loop that hangs, hangs for all
to see, and is started again.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from daemon.link.mqtt import MqttClient

_MOST_OFTEN = 2.0


class Notifier:
    """Our side of the conversation. It never raises: a service manager that does not listen stops no footage."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        watchdog = int(environment.get("WATCHDOG_USEC") or 0) / 1e6
        self._every = min(_MOST_OFTEN, watchdog / 4) if watchdog else _MOST_OFTEN
        self._fed = float("-inf")

    def ready(self) -> None:
        """Recovered, and serving; or serving again, after `reloading`."""
        self._say("READY=1")

    def alive(self, status: Callable[[], str]) -> None:
        """Once a batch of work: feeds the watchdog and says how things stand, in words, as often as needed."""
        now = time.monotonic()
        if self._address and now - self._fed >= self._every:
            self._fed = now
            self._say("WATCHDOG=1", f"STATUS={status()}")

    def watched(self, status: Callable[[], str], *clients: MqttClient) -> None:
        """As `alive`, as long as the threads live that the loop depends on; otherwise says so, unfed."""
        if all(client.alive for client in clients):
            self.alive(status)
        else:
            self.status("a connection's thread has ended: waiting to be started again")

    def status(self, status: str) -> None:
        """Says how things stand, and does not feed the watchdog."""
        self._say(f"STATUS={status}")

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Around reading configuration again."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
        yield
        self.ready()

    def stopping(self, status: str) -> None:
        """The end has begun; `status` says why."""
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
