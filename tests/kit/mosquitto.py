"""A real Mosquitto with the configuration that ships: only its port and its folders are others."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from daemon.cli.demo.stage import free_port
from daemon.model.resources import mosquitto_dir
from tests.kit.patience import PATIENCE

SECONDS = PATIENCE
_RUNNING = re.compile(r": mosquitto version \S+ running\n")
_INSTALLED = "/etc/mosquitto/bwc"


def program() -> str:
    """Where Mosquitto is. Skips the test when it is not installed; in CI it must be."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        assert not os.environ.get("CI"), "CI must have mosquitto"
        pytest.skip("mosquitto is not installed")
    return found


class Mosquitto:
    """One broker process, which can be ended, frozen and started again on its port."""

    def __init__(self, folder: Path, config: str, port: int) -> None:
        """`config` is its whole configuration; what it keeps lies in `folder`."""
        self._program = program()
        self.folder, self.port = folder, port
        self.config = folder / "mosquitto.conf"
        self.config.write_text(config)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Returns once it serves: it listens earlier, and a signal would end it then."""
        before = len(_RUNNING.findall(self.log))
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen([self._program, "-c", self.config], stdout=output, stderr=output)
        end = time.monotonic() + SECONDS
        while len(_RUNNING.findall(self.log)) == before:
            assert self._process.poll() is None, (self.folder / "output").read_text()
            assert time.monotonic() < end, "the broker does not start"
            time.sleep(0.01)

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def reload(self) -> None:
        """SIGHUP: returns once it says that it has read its configuration again."""
        before = self.log.count("Reloading config")
        self.signal(signal.SIGHUP)
        end = time.monotonic() + SECONDS
        while self.log.count("Reloading config") == before:
            assert time.monotonic() < end, "the broker does not reload"
            time.sleep(0.01)

    def end(self, number: int) -> None:
        """Ends it with this signal; nothing when it does not run."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(number)
            self._process.wait(20)
            self._process = None

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def stop(self) -> None:
        """As a service manager would: it saves what it holds."""
        self.end(signal.SIGTERM)

    def forget(self) -> None:
        """What it kept on disk is gone: retained messages, sessions, queues."""
        (self.folder / "kept" / "mosquitto.db").unlink(missing_ok=True)


def debian(folder: Path, more: str = "") -> str:
    """What Debian's own mosquitto.conf says, with other folders, and logging all."""
    (folder / "kept").mkdir(exist_ok=True)
    root = "user root\n" if os.geteuid() == 0 else ""
    return (
        f"persistence true\npersistence_location {folder}/kept/\nlog_dest file {folder}/log\nlog_type all\n{root}{more}"
    )


def shipped(folder: Path, installed: Path, port: int | None = None) -> Mosquitto:
    """As an administrator installs it: Debian's configuration, and ours in its conf.d. `installed` is what
    `bwc setup broker` made for the broker's machine.
    """
    port = port or free_port()
    ours = (installed / "bwc.conf").read_text()
    assert ours == (mosquitto_dir() / "bwc.conf").read_text(), "what is installed is what ships"
    for before, after, times in (
        ("\nlistener 8883\n", f"\nlistener {port} 127.0.0.1\n", 1),
        (_INSTALLED, installed, 5),
    ):
        assert ours.count(before) == times, before
        ours = ours.replace(before, str(after))
    (folder / "conf.d").mkdir(parents=True)
    (folder / "conf.d" / "bwc.conf").write_text(ours)
    return Mosquitto(folder, debian(folder, f"include_dir {folder}/conf.d\n"), port)
