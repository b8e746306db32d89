"""A running dock reads its vault again and again, and says what no longer holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.demo.world import DOCK
from daemon.link.session import Session
from daemon.vault.layout import VaultLayout
from tests.kit.precinct import Precinct, running

pytestmark = pytest.mark.xdist_group("system")
SCRUB = "\n[scrub]\nbytes_per_second = 1e9\nevery_seconds = 0.2\n"


def status(precinct: Precinct, findings: int) -> dict[str, Any]:
    """The dock's status once a round has ended with so many findings."""
    with Session(precinct.broker, (precinct.topics.status(DOCK),)) as session:

        def reached(payload: bytes) -> bool:
            said = json.loads(payload)
            return "scrubbed_at" in said and said["scrub_findings"] == findings

        message = session.wait(lambda m: reached(m.payload), 30)
    assert message is not None, f"no round with {findings} findings"
    document: dict[str, Any] = json.loads(message.payload)
    return document


def replace(path: Path, data: bytes) -> None:
    """Whole: a round may read at any moment."""
    new = path.with_name("new")
    new.write_bytes(data)
    new.rename(path)


def test_what_is_damaged_is_found_named_and_recorded(tmp_path: Path) -> None:
    with running(tmp_path, more=SCRUB) as precinct:
        [clip_id] = [clip["clip_id"] for clip in precinct.dock_camera("bay-1", "--clip", "seconds=2")["clips"]]
        status(precinct, 0)
        clip = VaultLayout(precinct.world.vault).find(clip_id)
        assert clip is not None
        good = clip.sealed.read_bytes()
        replace(clip.sealed, good[:100] + bytes([good[100] ^ 1]) + good[101:])
        entry = precinct.await_custody(action="damaged")
        assert (entry["clip_id"], entry["detail"]["path"]) == (clip_id, f"clips/{clip_id}/clip.sealed")
        assert "not those that were sealed" in entry["detail"]["problem"]
        status(precinct, 1)
        replace(clip.sealed, good)
        status(precinct, 0)
        assert len(precinct.custody(action="damaged")) == 1, "recorded once, not every round"
