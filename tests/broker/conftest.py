"""A broker as `bwc setup broker` and the shipped configuration make it, once for all tests that only look at it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.broker.caller import Caller
from tests.kit.mosquitto import Mosquitto, program, shipped
from tests.kit.patience import PATIENCE

AGENCY = "portland"
OWNERS = {
    "dock": ("central-1", "east-2"),
    "policy": ("policy",),
    "person": ("51234", "41001", "central-1"),  # somebody whose id is a dock's
    "dispatch": ("cad",),
    "board": ("room",),
    "witness": ("auditor",),
}


def setup_broker(out: Path, *more: str, expect: int = 0) -> dict[str, Any]:
    """Runs `bwc setup broker`; returns what it printed."""
    command = [sys.executable, "-m", "daemon.cli.main", "setup", "broker", "--out", str(out), "--agency", AGENCY]
    command.append("--json")
    ran = subprocess.run([*command, *more], capture_output=True, text=True, timeout=PATIENCE)
    assert ran.returncode == expect, ran.stderr
    document: dict[str, Any] = json.loads(ran.stdout) if ran.stdout else {"error": ran.stderr}
    return document


@dataclass(frozen=True)
class Yard:
    """The directory that was set up, and the broker that runs with it."""

    out: Path
    broker: Mosquitto

    def caller(self, role: str, owner: str, **options: Any) -> Caller:
        """A client with this owner's certificate."""
        return Caller(self.broker.port, self.out / "ca.pem", self.out / "clients" / role / owner, **options)


def make_yard(root: Path) -> Yard:
    """Set up, not started."""
    program()
    owners = [f"--{role}={owner}" for role, ids in OWNERS.items() for owner in ids if role != "policy"]
    setup_broker(root / "setup", "--name", "localhost", "--name", "127.0.0.1", *owners)
    return Yard(root / "setup", shipped(root / "mosquitto", root / "setup" / "broker"))


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    made = make_yard(tmp_path_factory.mktemp("yard"))
    with made.broker:
        yield made
