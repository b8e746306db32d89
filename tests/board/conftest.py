"""A precinct with a board, and a real browser. Screenshots are kept in build/screenshots."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from daemon.cli.demo.stage import BWC, free_port
from tests.system.precinct import Precinct, running

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    """Where Chromium is. Skips the test when it is not installed; in CI it must be."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        assert not os.environ.get("CI"), "CI must have chromium"
        pytest.skip("chromium is not installed")
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=_FLAGS)
        yield browser
        browser.close()


@dataclass
class Screen:
    """Opens pages of one board as a person's browser would."""

    browser: Browser
    url: str

    @contextmanager
    def page(self, path: str, **context: Any) -> Iterator[Page]:
        """A page on a screen of its own; what its scripts complain of fails the test."""
        with self.browser.new_context(**context) as opened:
            page = opened.new_page()
            page.set_default_timeout(20_000)
            complaints: list[str] = []
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(self.url + path)
            yield page
            assert complaints == []


def accessible(page: Page, name: str) -> None:
    """Nothing that axe knows is wrong with the page. Keeps a screenshot."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


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
    def make(more: str = "", **ingest: object) -> Iterator[Room]:
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
