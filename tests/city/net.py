"""Hosts of their own on this machine: network namespaces on one bridge, apart from its own network."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from types import TracebackType
from typing import Self


class Hosts:
    """Named hosts with addresses 10.77.0.1, 10.77.0.2, …; each can be cut off and joined again. Needs root."""

    def __init__(self, names: Sequence[str]) -> None:
        self._prefix = f"bwc{os.getpid()}"
        self._addresses = {name: f"10.77.0.{number}" for number, name in enumerate(names, 1)}

    def __enter__(self) -> Self:
        fabric = self.space("fabric")
        try:
            _ip("netns", "add", fabric)
            _ip("-n", fabric, "link", "add", "br0", "type", "bridge")
            _ip("-n", fabric, "link", "set", "br0", "up")
            for name, address in self._addresses.items():
                space, port = self.space(name), f"p{address.rpartition('.')[2]}"
                _ip("netns", "add", space)
                _ip("link", "add", "eth0", "netns", space, "type", "veth", "peer", "name", port, "netns", fabric)
                _ip("-n", fabric, "link", "set", port, "master", "br0", "up")
                _ip("-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
                _ip("-n", space, "link", "set", "eth0", "up")
                _ip("-n", space, "link", "set", "lo", "up")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """The namespaces go; processes still in them keep theirs until they end."""
        for name in ("fabric", *self._addresses):
            subprocess.run(["ip", "netns", "del", self.space(name)], capture_output=True)

    def address(self, name: str) -> str:
        return self._addresses[name]

    def inside(self, name: str, *command: str) -> list[str]:
        """The command, to be run on that host."""
        return ["ip", "netns", "exec", self.space(name), *command]

    def cut_off(self, name: str) -> None:
        """Nothing reaches the host any more, and nobody tells it."""
        self._port(name, "down")

    def join(self, name: str) -> None:
        self._port(name, "up")

    def _port(self, name: str, state: str) -> None:
        port = f"p{self._addresses[name].rpartition('.')[2]}"
        _ip("-n", self.space("fabric"), "link", "set", port, state)

    def space(self, name: str) -> str:
        """The name of its network namespace."""
        return f"{self._prefix}-{name}"


def _ip(*words: str) -> None:
    ran = subprocess.run(["ip", *words], capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {ran.stderr.strip()}")
