"""What an idle dock costs: twelve empty bays and a live broker."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from daemon.cli.demo.world import World
from tests.benchmarks.measure import cpu_seconds, pss
from tests.kit.precinct import running

SECONDS = 30.0


def run() -> dict[str, Any]:
    """The share of one core that the dock takes, and its memory."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), before=_twelve_bays) as precinct:
        dock = precinct.stage.pid("dock")
        time.sleep(5)  # what starting left to do is done: this measures, it decides nothing
        before = cpu_seconds(dock)
        time.sleep(SECONDS)
        return {
            "core_share_percent": (cpu_seconds(dock) - before) / SECONDS * 100,
            "target_core_share_percent": 0.5,
            "memory_mb": pss(dock) / 1e6,
        }


def _twelve_bays(world: World) -> None:
    """Mount points with nothing on them."""
    settings = world.config / "dock.toml"
    text = settings.read_text()
    assert "plain_directories = true" in text
    settings.write_text(text.replace("plain_directories = true", "plain_directories = false"))
    for number in range(12):
        (world.mounts / f"bay-{number}").mkdir()
