"""The processes of a city: each on a host of its own, started, killed and started again by name."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.city.net import Hosts


class Processes:
    """Nothing outlives it. What a process says on standard output and error stands in `logs/<name>.log`."""

    def __init__(self, hosts: Hosts, logs: Path) -> None:
        self._hosts = hosts
        self._logs = logs
        self._commands: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in reversed(list(self._running)):
            self._running[name].terminate()
        for name in list(self._running):
            self._end(name, signal.SIGKILL, patience=10)

    def start(self, name: str, host: str, *command: str) -> None:
        """Starts it, or one that was started before, anew."""
        self._commands[name] = (host, command)
        with (self._logs / f"{name}.log").open("ab") as log:
            inside = self._hosts.inside(host, *command)
            self._running[name] = subprocess.Popen(inside, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def restart(self, name: str) -> None:
        self.start(name, self._commands[name][0], *self._commands[name][1])

    def kill(self, name: str) -> None:
        """As a power cut ends a program."""
        self._end(name, signal.SIGKILL)

    def stop(self, name: str) -> None:
        self._end(name, signal.SIGTERM)

    def wait(self, name: str, seconds: float) -> int:
        """The exit code of one that ends by itself."""
        return self._running[name].wait(seconds)

    def running(self, name: str) -> bool:
        return self._running[name].poll() is None

    def check_alive(self, *names: str) -> None:
        """Raises AssertionError with the last words of a process that ended."""
        for name in names:
            code = self._running[name].poll()
            assert code is None, f"{name} ended with {code}: {self.said(name)[-1500:]}"

    def said(self, name: str) -> str:
        return (self._logs / f"{name}.log").read_text(errors="replace")

    def await_port(self, host: str, address: str, port: int, seconds: float = 20.0) -> None:
        """Until somebody on `address` can be reached from `host`."""
        probe = self._hosts.inside(host, "bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}")
        until(lambda: subprocess.run(probe, capture_output=True).returncode == 0, f"{address}:{port}", seconds)

    def _end(self, name: str, number: int, patience: float | None = None) -> None:
        process = self._running[name]
        if patience is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience)
        if process.poll() is None:
            process.send_signal(number)
        process.wait(20)


def until(done: Callable[[], bool], what: str, seconds: float) -> None:
    """Polls for something that announces itself nowhere."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(0.1)
