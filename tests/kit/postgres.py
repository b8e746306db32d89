"""A real PostgreSQL on a socket of its own, for as long as a test needs it (Debian's; it refuses to run as root)."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.kit.patience import PATIENCE


def programs() -> Path:
    """Where its programs are; skips the test on a machine that has none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        pytest.skip("needs Debian's postgresql package")
    return found[-1]


class Server:
    """One server. What it has confirmed survives `kill`."""

    def __init__(self, root: Path) -> None:
        self._programs, self._root = programs(), root
        self._who: dict[str, Any] = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam("postgres")
            self._who = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            os.chown(root, entry.pw_uid, entry.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        command = ["initdb", "-D", "d", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync", "--no-instructions"]
        self._run(*command)

    def _run(self, program: str, *arguments: str) -> None:
        ran = subprocess.run(
            [self._programs / program, *arguments], cwd=self._root, capture_output=True, text=True, **self._who
        )
        assert ran.returncode == 0, ran.stderr

    def start(self) -> None:
        program = str(self._programs / "postgres")
        command = [program, "-D", "d", "-k", str(self._root), "-h", "", "-c", "max_connections=40"]
        with (self._root / "log").open("ab") as log:
            self._process = process = subprocess.Popen(command, cwd=self._root, stdout=log, stderr=log, **self._who)
        end = time.monotonic() + PATIENCE
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                assert time.monotonic() < end and process.poll() is None, (self._root / "log").read_text()
                time.sleep(0.05)  # it announces itself nowhere
            else:
                return

    def stop(self, number: int = signal.SIGINT) -> None:
        """SIGINT: in good order, sessions ended. SIGQUIT: at once, as if it had crashed."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(30)

    def restart(self, number: int = signal.SIGINT) -> None:
        self.stop(number)
        self.start()

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self._root}"

    def database(self) -> str:
        """The URL of a new, empty database."""
        self._databases += 1
        name = f"test_{self._databases}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as session:
            session.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'".encode())
        return self.url(name)


@contextmanager
def server() -> Iterator[Server]:
    """A running server in a directory with a short name: a socket's may have 107 characters."""
    root = Path(tempfile.mkdtemp(prefix="pg"))
    made = None
    try:
        made = Server(root)
        made.start()
        yield made
    finally:
        if made is not None:
            made.stop()
        shutil.rmtree(root)
