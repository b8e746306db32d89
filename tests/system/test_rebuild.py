"""`bwc dock rebuild`: the database is lost, the vault is not. Real processes; the custody log goes on where it was."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.demo import world as cast
from daemon.cli.demo.stage import Ran
from tests.kit.acts import attest, classify, open_clip, request
from tests.kit.precinct import Precinct, running, wait_until
from tests.kit.promise import Camera

pytestmark = pytest.mark.xdist_group("rebuild")


@pytest.fixture
def precinct(tmp_path: Path) -> Iterator[Precinct]:
    with running(tmp_path / "world", orphan_seconds=1.0) as precinct:
        yield precinct


def rebuild(precinct: Precinct, *options: str, expect: int = 0) -> Ran:
    config = str(precinct.world.config / "dock.toml")
    return precinct.stage.bwc("dock", "rebuild", "--config", config, *options, expect=expect)


def lose_the_database(precinct: Precinct) -> None:
    precinct.stage.stop("dock")
    shutil.rmtree(precinct.world.root / "state" / "dock")


def lines(precinct: Precinct) -> list[dict[str, Any]]:
    return precinct.custody()


def test_everything_is_there_again_and_nothing_is_open(precinct: Precinct, tmp_path: Path) -> None:
    clips = [c["clip_id"] for c in precinct.dock_camera("bay-1", "--count", "3", "--bytes", "9000")["clips"]]
    classify(precinct, clips[0], "none")
    request(precinct, cast.OFFICER, clips[0], "report")
    precinct.notice(clips[0], lambda n: n["lock"]["state"] == "released")
    open_clip(precinct, cast.OFFICER, clips[0], tmp_path / "before.mp4")
    precinct.await_custody(action="opened")
    kept = Camera(precinct.world, 1, random.Random(1))
    unread = kept.record(9000)
    precinct.await_custody(action="receipted", clip_id=unread)
    for clip in [*clips, unread]:  # a clip's own record follows a moment later
        record = precinct.world.vault / "clips" / clip / "custody.json"
        wait_until(lambda record=record: b"receipted" in record.read_bytes(), "the record")  # type: ignore[misc]
    before = lines(precinct)

    lose_the_database(precinct)
    assert rebuild(precinct).document == {"clips": 4, "entries": len(before)}
    assert "is there" in rebuild(precinct, expect=2).words
    after = lines(precinct)
    assert after[: len(before)] == before, "not one old entry is another"
    assert [entry["action"] for entry in after[len(before) :]] == ["expired", "rebuilt"]
    precinct.stage.bwc("dock", "check", "--config", precinct.world.config / "dock.toml")

    precinct.stage.start_dock()
    notice = precinct.notice(clips[0], lambda n: n["sequence"] > 1_000_000_000)
    assert (notice["lock"]["state"], notice["lock"]["reason"]) == ("locked", "the release order has expired")
    for clip in clips[1:]:
        assert precinct.notice(clip, lambda n: n["sequence"] > 1_000_000_000)["lock"]["state"] == "locked"
    wait_until(lambda: status(precinct)["backlog"] == 0, "every notice acknowledged")
    precinct.bay("bay-1", "done") if (precinct.world.mounts / "bay-1").exists() else None
    assert set(kept.harvest()) <= {unread}, "its receipt is still good"
    precinct.bay(kept.folder.name, "done")
    again = [e for e in lines(precinct)[len(after) :] if e["action"] == "ingested"]
    assert again == [], "no clip is taken in twice"
    decision = request(precinct, cast.OFFICER, clips[0], "statement")
    assert decision["outcome"] == "released", "whoever needs it asks again"
    precinct.notice(clips[0], lambda n: n["lock"]["state"] == "released")


def status(precinct: Precinct) -> dict[str, Any]:
    ran = precinct.stage.bwc("dock", "status", "--config", precinct.world.config / "dock.toml")
    found: dict[str, Any] = ran.document["dock"]
    return found


def test_a_clip_in_quarantine_stays_there(precinct: Precinct) -> None:
    camera = precinct.camera("bay-q", "--fault", "torn-capture", "--bytes", "5000", "--timeout", "60")
    clip = str(precinct.await_custody(action="quarantined")["clip_id"])
    lose_the_database(precinct)
    rebuild(precinct)
    precinct.stage.start_dock()
    reason = ("--reason", "broken in a struggle", "--admit", "--officer-id", cast.OFFICER.person_id)
    attest(precinct, cast.SUPERVISOR, "correction", "--clip-id", clip, *reason)
    docked = precinct.stage.finish(camera)
    assert docked.code == 0, docked.words
    assert len(precinct.custody(action="ingested")) == 1 and precinct.custody(action="admitted", clip_id=clip)


def test_a_vault_that_does_not_hold_is_named_and_nothing_is_built(precinct: Precinct) -> None:
    (clip,) = precinct.dock_camera("bay-1", "--bytes", "9000")["clips"]
    record = precinct.world.vault / "clips" / clip["clip_id"] / "custody.json"
    wait_until(lambda: b"receipted" in record.read_bytes(), "the record")
    lose_the_database(precinct)
    log = precinct.world.vault / "custody" / "0.jsonl"
    whole, sealed = log.read_bytes(), precinct.world.vault / "clips" / clip["clip_id"] / "clip.sealed"
    log.write_bytes(whole.replace(b'"bay-1"', b'"bay-2"', 1))
    assert "0.jsonl" in rebuild(precinct, expect=4).words
    log.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    assert "custody" in rebuild(precinct, expect=4).words
    log.write_bytes(whole)
    data = bytearray(sealed.read_bytes())
    sealed.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert "clip.sealed" in rebuild(precinct, expect=4).words
    sealed.write_bytes(data)
    away = sealed.parent.rename(precinct.world.root / "away")
    assert clip["clip_id"] in rebuild(precinct, expect=4).words
    away.rename(sealed.parent)
    assert not (precinct.world.root / "state" / "dock" / "dock.sqlite").exists()
    assert json.loads(json.dumps(rebuild(precinct).document))["clips"] == 1
