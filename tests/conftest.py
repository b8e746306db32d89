"""What tests of several folders share, once a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.board.chromium import launched

pytest_plugins = ["tests.kit.bucket", "tests.kit.mqtt_clients"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Real Chromium. Playwright bears only one of its loops in a process."""
    with sync_playwright() as playwright, launched(playwright) as browser:
        yield browser
