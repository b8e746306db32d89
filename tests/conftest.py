"""What tests of several folders share, once a worker."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.board.chromium import launched

pytest_plugins = ["tests.kit.bucket", "tests.kit.mqtt_clients"]


_OPEN_FILES = 600
"""More than any test needs. From 1,024 on, select(2) and with it paho's network thread refuse: "no connection"."""


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Fails a test after which too many files are open in this process, before later tests fail because of them.

    It runs last, after the test's fixtures have ended: until then a test may have a pretended filesystem without /proc.
    """
    if nextitem is not None and len(os.listdir("/proc/self/fd")) > _OPEN_FILES:
        gc.collect()
        held = len(os.listdir("/proc/self/fd"))
        assert held <= _OPEN_FILES, f"{held} files are open in this process: something does not close what it opens"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Real Chromium. Playwright bears only one of its loops in a process."""
    with sync_playwright() as playwright, launched(playwright) as browser:
        yield browser
