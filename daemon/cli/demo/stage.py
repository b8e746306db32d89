"""The processes of the demo: broker, policy service, dock; and the commands that people run, each a process too."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.cli.demo.world import World
from daemon.model.errors import BwcError

BWC = (sys.executable, "-m", "daemon.cli.main")
SIM = (sys.executable, "-m", "device_sim")


class StoryError(BwcError):
    """The demo did not go as it must."""


@dataclass(frozen=True)
class Ran:
    """A command that ended: its exit code, its JSON (if it printed any), its words on standard error."""

    code: int
    document: Any
    words: str


def free_port() -> int:
    """A TCP port of this machine that nobody listens on, and that no connection is given for its own end meanwhile:
    Linux takes those from 32768 upwards (ip_local_port_range, ip(7)).
    """
    while True:
        port = random.randrange(15_000, 32_768)  # noqa: S311 - no secret
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Stage:
    """Starts and ends the processes. A context manager: nothing outlives it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        started = [process for _, process in reversed(self._running)]
        for process in started:
            process.terminate()
        for process in started:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, name: str, *command: str) -> None:
        """A process that stays, its standard error in `logs/<name>.log`."""
        with (self._world.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._running.append((name, process))

    def start_services(self) -> None:
        """Broker, policy service, dock. Returns once the broker listens."""
        self.start("broker", sys.executable, "-m", "daemon.cli.demo.broker", str(self._world.port))
        self.wait_for_port(self._world.port)
        self.start("policy", *BWC, "policy", "serve", "--config", str(self._world.config / "policy.toml"))
        self.start_dock()

    def start_dock(self) -> None:
        """Starts the dock; it may not serve yet."""
        self.start("dock", *BWC, "dock", "run", "--config", str(self._world.config / "dock.toml"))

    def signal(self, name: str, number: int) -> None:
        """Sends a signal to one process."""
        os.kill(self.pid(name), number)

    def pid(self, name: str) -> int:
        """The process id of one that stays."""
        return next(process.pid for known, process in self._running if known == name)

    def stop(self, name: str) -> None:
        """Ends one process as a service manager would."""
        process = next(process for known, process in self._running if known == name)
        self._running = [entry for entry in self._running if entry[0] != name]
        process.terminate()
        process.wait(15)

    def check_alive(self) -> None:
        """Raises StoryError with the last words of a process that ended."""
        for name, process in self._running:
            if process.poll() is not None:
                log = (self._world.logs / f"{name}.log").read_text(errors="replace")[-1500:]
                raise StoryError(f"the {name} process ended with {process.returncode}: {log}")

    def begin(self, *command: str) -> subprocess.Popen[str]:
        """A command that runs beside the story; `finish` waits for it."""
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def finish(self, process: subprocess.Popen[str]) -> Ran:
        """Waits for a process that was begun, and collects what it said."""
        out, err = process.communicate(timeout=180)
        try:
            document = json.loads(out) if out.strip() else None
        except ValueError:
            document = out
        return Ran(process.returncode, document, err.strip())

    def run(self, *command: str) -> Ran:
        """Runs a command to its end."""
        self.check_alive()
        return self.finish(self.begin(*command))

    def bwc(self, *arguments: str | Path, expect: int = 0) -> Ran:
        """A `bwc` command with --json. Raises StoryError when it ends with anything but `expect`."""
        ran = self.run(*BWC, *(str(argument) for argument in arguments), "--json")
        if ran.code != expect:
            shown = " ".join(str(a) for a in arguments[:3])
            raise StoryError(f"bwc {shown} ended with {ran.code}, expected {expect}: {ran.words}")
        return ran

    def wait_for_port(self, port: int, seconds: float = 60.0) -> None:
        """Returns once somebody listens there. Raises StoryError when nobody does in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.check_alive()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.02)
        raise StoryError(f"the broker does not listen on port {port}")
