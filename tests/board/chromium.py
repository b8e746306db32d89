"""A real browser, and what a person's eyes would check. Screenshots are kept in build/screenshots."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Playwright, expect

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
_PATIENCE = 30_000.0
"""Milliseconds until what a page does not show counts as missing: how fast the machine is decides no test."""
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


@contextmanager
def launched(playwright: Playwright) -> Iterator[Browser]:
    """Debian's Chromium, without a window and without looking for anything on the network."""
    expect.set_options(timeout=_PATIENCE)
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
            page.set_default_timeout(_PATIENCE)
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
