"""A small shift, played against a dock that signs receipts."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest


def play(precinct: Any, sim: Any, *more: str) -> Any:
    keys = precinct.root / "keys"
    return sim(
        "shift", "--mounts", str(precinct.mounts), "--keys", str(keys), "--dock-key", str(keys / "dock-1.sign.pub.pem"),
        "--make-keys", "--bays", "2", "--seed", "5", "--bytes", "2000", *more,
    )  # fmt: skip


def test_everything_is_receipted_and_erased(precinct: Any, receipting: Any, sim: Any) -> None:
    cad = precinct.root / "cad"
    result = play(precinct, sim, "--officers", "5", "--to", str(cad), "--json")
    assert result.code == 0, result.err
    plan = sim("shift", "--officers", "5", "--seed", "5", "--bytes", "2000", "--plan-only", "--json").document
    planned = {clip["clip_id"]: clip for camera in plan["cameras"] for clip in camera["clips"]}
    done = result.document
    played = {clip["clip_id"]: clip for camera in done["cameras"] for clip in camera["clips"]}
    assert played.keys() == planned.keys()
    assert len(played) == done["clips"] == done["verified"] == done["erased"] == 20
    assert {camera["bay"] for camera in done["cameras"]} == {"bay-1", "bay-2"}
    skew = {camera["serial"]: camera["skew_seconds"] for camera in plan["cameras"]}
    for camera in done["cameras"]:
        for clip in camera["clips"]:
            assert clip["size_bytes"] == 2000
            if skew[camera["serial"]] == 0:
                assert clip["started_at"] == planned[clip["clip_id"]]["started_at"]
    assert len(list(cad.iterdir())) == done["documents"] > 15
    assert list(precinct.mounts.iterdir()) == []
    assert {camera["serial"] for camera in receipting} == {camera["serial"] for camera in plan["cameras"]}


def test_a_bay_holds_one_camera_at_a_time(
    precinct: Any, receipting: Any, sim: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    docked: list[int] = []
    rename = Path.rename

    def spy(self: Path, target: Path) -> Path:
        moved = rename(self, target)
        if target.parent == precinct.mounts:
            docked.append(len(list(precinct.mounts.iterdir())))
        return moved

    monkeypatch.setattr(Path, "rename", spy)
    assert play(precinct, sim, "--officers", "6").code == 0
    assert len(docked) == 6
    assert max(docked) <= 2


def test_speed_is_kept(precinct: Any, receipting: Any, sim: Any) -> None:
    plan = sim("shift", "--officers", "2", "--seed", "5", "--plan-only", "--json").document
    began = time.monotonic()
    # a shift of half a day at a hundred thousand times its speed takes some tenths of a second
    assert play(precinct, sim, "--officers", "2", "--speed", "100000", "--json").code == 0
    last = max(camera["docks_at"] for camera in plan["cameras"])
    hours = int(last[11:13]) + 24 * (last[:10] > plan["begins"][:10]) - int(plan["begins"][11:13])
    assert time.monotonic() - began >= (hours - 1) * 3600 / 100_000


def test_a_spoiled_camera_does_not_fail_the_shift(precinct: Any, receipting: Any, sim: Any) -> None:
    result = play(precinct, sim, "--officers", "3", "--fault", "no-capture", "--timeout", "2", "--json")
    assert result.code == 0, result.err
    plan = sim("shift", "--officers", "3", "--seed", "5", "--plan-only", "--json", "--fault", "no-capture").document
    spoiled = [camera["serial"] for camera in plan["cameras"] if camera["faults"]]
    assert len(spoiled) == 1
    for camera in result.document["cameras"]:
        assert all(clip["erased"] is (camera["serial"] not in spoiled) for clip in camera["clips"])


def test_missing_receipts_fail_the_shift(precinct: Any, sim: Any) -> None:
    result = play(precinct, sim, "--officers", "1", "--timeout", "0.2", "--json")
    assert result.code == 1
    assert result.document["erased"] == 0


def test_keys_are_not_made_unasked(precinct: Any, sim: Any) -> None:
    keys = precinct.root / "keys"
    dock = ["--dock-key", str(keys / "dock-1.sign.pub.pem")]
    result = sim("shift", "--mounts", str(precinct.mounts), "--keys", str(keys), *dock)
    assert result.code == 2
    assert "--make-keys" in result.err
    assert {path.name.split(".")[0] for path in keys.iterdir()} == {"cam-1", "dock-1"}


def test_keys_that_are_there_stay(precinct: Any, receipting: Any, sim: Any) -> None:
    assert play(precinct, sim, "--officers", "1").code == 0
    key = precinct.root / "keys" / "cam-0001.sign.pem"
    before = key.read_bytes()
    assert key.stat().st_mode & 0o077 == 0
    assert play(precinct, sim, "--officers", "1").code == 0
    assert key.read_bytes() == before


def test_plain_lines(precinct: Any, receipting: Any, sim: Any) -> None:
    result = play(precinct, sim, "--officers", "3")
    lines = result.out.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("bay-") for line in lines[:3])
    with pytest.raises(json.JSONDecodeError):
        json.loads(result.out)


def test_plan_only_touches_nothing(precinct: Any, sim: Any) -> None:
    result = sim("shift", "--precinct", "pilot", "--plan-only")
    assert result.code == 0
    assert "585 clips" in result.out
    assert list(precinct.mounts.iterdir()) == []


def test_a_shift_shows_bars_on_a_terminal_and_lines_elsewhere(precinct: Any, receipting: Any, sim: Any) -> None:
    keys = precinct.root / "keys"
    words = ["shift", "--mounts", str(precinct.mounts), "--keys", str(keys), "--make-keys", "--officers", "2"]
    words += ["--dock-key", str(keys / "dock-1.sign.pub.pem"), "--seed", "5", "--bytes", "500", "--speed", "1000000"]
    piped = sim(*words)
    assert piped.code == 0 and "\x1b[" not in piped.out and piped.out.count("bay-") == 2
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        [sys.executable, "-m", "device_sim", *words], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # the terminal's other end is closed: all was read
        pass
    assert process.wait(30) == 0
    os.close(ours)
    text = shown.decode()
    assert "\x1b[" in text and "━" in text
    assert re.search(r"cameras docked .*2/2", text) and re.search(r"clips erased against a receipt .*8/8", text)
