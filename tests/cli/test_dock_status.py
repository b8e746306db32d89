"""The dock room's screen in a terminal: rates and time left, from what the dock publishes."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from daemon.cli.demo.world import DOCK
from daemon.cli.dock.status import DockView
from daemon.core.rate import Rate, time_left
from daemon.link.mqtt import Received
from daemon.model import strict_json
from daemon.model.documents import Bay
from daemon.model.topics import Topics
from tests.kit.precinct import BWC_PLAIN, running

TOPICS = Topics("agency")


def heard(done: int, state: str = "reading") -> Received:
    bay = Bay(
        bay="bay-1",
        state=state,  # type: ignore[arg-type]
        camera_serial="cam-1",
        officer_id="51234",
        clips_total=3,
        clips_done=1,
        bytes_total=1_000_000_000,
        bytes_done=done,
    )
    return Received("", TOPICS.bay("dock-1", "bay-1"), strict_json.dump(bay.plain()), False, 1, 1)


def shown(board: DockView) -> str:
    out = io.StringIO()
    Console(file=out, width=120).print(board.table())
    return out.getvalue()


def test_rates_and_time_left() -> None:
    board = DockView(TOPICS, "dock-1")
    board.hear(heard(100_000_000), 1.0)
    board.hear(heard(300_000_000), 3.0)
    line = next(line for line in shown(board).splitlines() if "bay-1" in line)
    assert line.split() == ["bay-1", "reading", "cam-1", "51234", "1/3", "30%", "100", "8", "s"]
    board.hear(heard(1_000_000_000, "done"), 9.0)
    assert "100%" in shown(board)
    assert " s" not in shown(board).splitlines()[-1]


def test_a_rate_is_of_the_last_seconds_and_of_one_camera() -> None:
    rate = Rate()
    assert rate.bytes_per_second == 0
    for at, done in ((0.0, 0), (1.0, 100), (20.0, 200), (21.0, 300)):
        rate.saw(at, done)
    assert rate.bytes_per_second == 100
    rate.saw(22.0, 50)  # another camera
    assert rate.bytes_per_second == 0
    rate.saw(23.0, 60)
    assert rate.bytes_per_second == 10


@pytest.mark.parametrize(("size", "rate", "words"), [(10, 0, ""), (0, 5, ""), (50, 10, "6 s"), (99_000, 100, "17 min")])
def test_time_left_in_words(size: int, rate: float, words: str) -> None:
    assert time_left(size, rate) == words


@pytest.mark.xdist_group("system")
def test_watching_a_real_dock(tmp_path: Path) -> None:
    """In a terminal, until somebody presses Ctrl-C; and once, for a script."""
    with running(tmp_path) as precinct:
        config = str(precinct.world.config / "dock.toml")
        master, slave = pty.openpty()
        command = [*BWC_PLAIN, "dock", "status", "--watch", "--config", config]
        with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True) as watching:
            os.close(slave)
            seen = b""
            try:
                while DOCK.encode() not in seen:
                    seen += os.read(master, 65536)
                precinct.dock_camera("bay-7", "--clip", "seconds=2")
                while b"bay-7" not in seen:
                    seen += os.read(master, 65536)
                watching.send_signal(2)
                with contextlib.suppress(OSError):  # a terminal whose last user has gone
                    while os.read(master, 65536):
                        pass
                assert watching.wait(10) == 0
            finally:
                watching.kill()
        os.close(master)
        once = subprocess.run([*BWC_PLAIN, "dock", "status", "--config", config], capture_output=True, text=True)
        assert once.returncode == 0
        assert f"{DOCK}: online" in once.stdout
        assert "bay-7" in once.stdout
