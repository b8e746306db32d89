"""The story, told once for all tests that look at it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Told:
    """A demo that ran: its directory, the document it printed, and how it ended."""

    root: Path
    printed: dict[str, Any]
    code: int

    def step(self, number: int) -> dict[str, Any]:
        return next(step for step in self.printed["steps"] if step["step"] == number)


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    root = tmp_path_factory.mktemp("story") / "world"
    command = [sys.executable, "-m", "daemon.cli.main", "demo", "--json", "--keep", str(root)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert ran.returncode == 0, ran.stderr
    return Told(root, json.loads(ran.stdout), ran.returncode)
