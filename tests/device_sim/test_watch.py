"""A camera by single keys, through a real pseudo-terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SECONDS = 90.0


class Session:
    """`bwc-sim camera --watch` on a terminal of its own."""

    def __init__(self, precinct: Any, *more: str) -> None:
        keys = precinct.root / "keys"
        self._ours, theirs = pty.openpty()
        self.before = termios.tcgetattr(theirs)
        self._theirs = theirs
        command = [sys.executable, "-m", "device_sim", "camera", "--watch", "--mounts", str(precinct.mounts)]
        command += ["--bay", "bay-1", "--serial", "cam-1", "--officer", "51234", "--bytes", "400", "--seed", "7"]
        command += ["--key", str(keys / "cam-1.sign.pem"), "--dock-key", str(keys / "dock-1.sign.pub.pem"), *more]
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
        self.text = ""
        self.await_text(r"q quit[\s\S]*undocked: 0 clips; fault: none")

    def press(self, key: str) -> None:
        os.write(self._ours, key.encode())

    def await_text(self, wanted: str) -> str:
        """Reads until a line matches; returns what was said since the last time."""
        end = time.monotonic() + SECONDS
        while not (found := re.search(wanted, self.text)):
            assert time.monotonic() < end, f"never said {wanted!r}: {self.text}"
            if select.select([self._ours], [], [], 0.1)[0]:
                self.text += os.read(self._ours, 65536).decode()
        said, self.text = self.text[: found.end()], self.text[found.end() :]
        return said

    def leave(self) -> int:
        self.press("q")
        return self.process.wait(SECONDS)

    @property
    def settings(self) -> list[Any]:
        return termios.tcgetattr(self._theirs)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture
def session(precinct: Any) -> Iterator[Session]:
    made = Session(precinct)
    yield made
    made.close()


def test_a_day_at_the_keyboard(precinct: Any, receipting: Any, session: Session) -> None:
    for count in (1, 2):
        session.press("r")
        session.await_text(rf"recorded [0-9a-f-]+: 400 bytes[\s\S]*undocked: {count} clips")
    session.press("d")
    session.await_text(r"docked in bay-1: 2 clips[\s\S]*2 receipts, 0 to erase")  # said once, or once more
    assert list((precinct.bay / "clips").iterdir()) == []
    session.press("u")
    session.await_text(r"undocked: 0 clips")
    assert not precinct.bay.exists()
    assert session.leave() == 0
    assert session.settings == session.before, "the terminal is as it was"


def test_without_a_dock_nothing_is_erased_and_what_was_docked_leaves(precinct: Any, session: Session) -> None:
    session.press("r")
    session.press("d")
    session.await_text(r"docked in bay-1: 1 clips, 0 receipts, 1 to erase")
    assert len(list((precinct.bay / "clips").glob("*.mp4"))) == 1
    assert session.leave() == 0
    assert not precinct.bay.exists()
    assert len(list((precinct.root / "cameras" / "cam-1" / "clips").glob("*.mp4"))) == 1


def test_keys_that_do_not_fit_are_said(session: Session) -> None:
    for key, words in (("u", "not docked"), ("x", "no key 'x'"), ("d", "docked in"), ("d", "docked already")):
        session.press(key)
        session.await_text(words)
    session.press("r")
    session.await_text("a docked camera does not record; undock it: u")
    assert session.leave() == 0


def test_faults(precinct: Any, session: Session) -> None:
    """A capture that is torn, and a camera that is pulled out with its clips in it."""
    session.press("f")
    session.await_text("fault torn-capture")
    session.press("r")
    session.await_text("recorded .* torn-capture")
    capture = next((precinct.root / "cameras" / "cam-1" / "clips").glob("*.capture.json"))
    assert not capture.read_text().rstrip().endswith("}")
    fault = "torn-capture"
    while fault != "yank":
        session.press("f")
        fault = session.await_text(r"fault ([a-z-]+):").rpartition("fault ")[2].rstrip(":")
    session.press("d")
    session.await_text("docked in bay-1: 1 clips")
    with next((precinct.bay / "clips").glob("*.mp4")).open("rb") as reading:
        session.press("u")
        session.await_text("undocked: 1 clips")
        assert reading.read() == b"", "who was reading comes to an end"
    assert (precinct.root / "cameras" / "cam-1" / "clips" / capture.name).exists()
    assert session.leave() == 0


def test_keys_from_a_pipe(precinct: Any, receipting: Any) -> None:
    keys = precinct.root / "keys"
    command = [sys.executable, "-m", "device_sim", "camera", "--watch", "--mounts", str(precinct.mounts)]
    command += ["--bay", "bay-1", "--serial", "cam-1", "--officer", "51234", "--bytes", "400"]
    command += ["--key", str(keys / "cam-1.sign.pem"), "--dock-key", str(keys / "dock-1.sign.pub.pem")]
    ran = subprocess.run(command, input="rrd", capture_output=True, text=True, timeout=SECONDS)
    assert ran.returncode == 0, ran.stderr
    assert "docked in bay-1: 2 clips" in ran.stdout
    assert not precinct.bay.exists()


def test_a_dock_key_is_needed(precinct: Any, sim: Any, tmp_path: Path) -> None:
    result = sim("camera", "--watch", "--mounts", str(precinct.mounts), "--bay", "b", "--serial", "cam-1", "--officer",
                 "o", "--key", str(precinct.root / "keys" / "cam-1.sign.pem"))  # fmt: skip
    assert result.code == 2
    assert "--dock-key" in result.err
