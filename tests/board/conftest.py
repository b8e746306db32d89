"""A precinct with a board, and a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from daemon.cli.demo.stage import BWC, free_port
from tests.board.chromium import Screen
from tests.kit.precinct import Precinct, running


@dataclass
class Room:
    """A precinct whose board answers at `screen.url`."""

    precinct: Precinct
    screen: Screen


Rooms = Callable[..., AbstractContextManager[Room]]


@pytest.fixture
def room(tmp_path: Path, browser: Browser) -> Rooms:
    """Makes one, as a context manager: settings of the dock's [ingest] section, and more of board.toml."""

    @contextmanager
    def make(more: str = "", **ingest: Any) -> Iterator[Room]:
        with running(tmp_path / "precinct", **ingest) as precinct:
            port = free_port()
            settings = precinct.world.config / "board.toml"
            settings.write_text(
                f'agency = "portland"\nlisten = "127.0.0.1:{port}"\nvault = "../vault"\n{more}'
                f'[broker]\nurl = "{precinct.world.broker}"\n'
            )
            precinct.stage.start("board", *BWC, "board", "serve", "--config", str(settings))
            precinct.stage.wait_for_port(port)
            yield Room(precinct, Screen(browser, f"http://127.0.0.1:{port}"))

    return make
