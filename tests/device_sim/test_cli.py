"""How `bwc-sim` speaks: errors to stderr, a hint on its own line, exit codes as documented."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest


@pytest.mark.parametrize("command", [(), ("camera",), ("dispatch",), ("shift",)])
def test_help(sim: Any, command: tuple[str, ...]) -> None:
    result = sim(*command, "--help")
    assert result.code == 0
    assert result.out.startswith("Usage: bwc-sim")


@pytest.mark.parametrize(
    "arguments",
    [
        ("camera",),
        ("dispatch", "--to", "x", "--incidents", "many"),
        ("dispatch", "--to", "x", "--date", "yesterday"),
        ("dispatch", "--to", "x", "--steps"),
        ("shift", "--precinct", "atlantis"),
        ("shift",),
        ("teleport",),
    ],
)
def test_usage_errors(sim: Any, arguments: tuple[str, ...]) -> None:
    result = sim(*arguments)
    assert result.code == 2
    assert result.out == ""
    error, hint = result.err.splitlines()
    assert error.startswith("error: ")
    assert error[7] == error[7].lower()
    assert not error.endswith(".")
    assert hint.startswith("hint: ")


def test_a_key_that_is_none(precinct: Any) -> None:
    (precinct.root / "keys" / "cam-1.sign.pem").write_text("no key")
    result = precinct.camera("--until", "docked")
    assert result.code == 2
    assert "cam-1.sign.pem" in result.err


def test_as_a_module() -> None:
    ended = subprocess.run([sys.executable, "-m", "device_sim", "--help"], capture_output=True, text=True, check=True)
    assert "camera" in ended.stdout
    assert "shift" in ended.stdout
