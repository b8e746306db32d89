"""A clip's timeline: from the notice alone, and with its own custody from the vault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.board.clips import ShownClip
from daemon.board.history import history
from daemon.core.words import custody_sentence
from tests.board.test_picture import notice


def known(**fields: Any) -> ShownClip:
    return ShownClip({**notice(1), "ingested_at": "2026-03-01T12:00:00.000Z", **fields}, None)


def test_without_a_vault_it_says_what_is_missing() -> None:
    release = {"order_id": "o", "person_id": "51234", "purpose": "report", "expires_at": "2026-03-08T12:00:00.000Z"}
    lock = {"state": "locked", "reason": "r", "releases": [{**release, "state": "expired"}]}
    told = history(known(lock=lock), None)
    assert told.gap is not None and "vault in board.toml" in told.gap
    assert [line.who for line in told.lines] == ["camera", "camera", "dispatch", "dock", "dock"]
    assert told.lines[-1].what == "the release to 51234 for report ended"
    assert told.lines == sorted(told.lines, key=lambda line: line.at)


def test_a_vault_that_does_not_hold_the_clip_is_named(tmp_path: Path) -> None:
    told = history(known(), tmp_path)
    assert told.gap is not None and "holds no clip" in told.gap
    assert any("sealed and locked" in line.what for line in told.lines)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema": "bwc.clip-custody/1"', b"\xff" * 100])
def test_custody_that_cannot_be_read_is_named_and_the_rest_shown(tmp_path: Path, content: bytes) -> None:
    clip = known()
    folder = tmp_path / "clips" / clip.notice["clip_id"]
    folder.mkdir(parents=True)
    (folder / "custody.json").write_bytes(content)
    told = history(clip, tmp_path)
    assert told.gap is not None and "custody.json" in told.gap
    assert any("sealed and locked" in line.what for line in told.lines)


def test_a_clip_without_a_capture_has_a_history_too() -> None:
    told = history(known(capture=None, activation=None), None)
    assert [line.who for line in told.lines] == ["dock"]


def test_custody_in_words() -> None:
    detail = {"person_id": "51234", "purpose": "report", "expires_at": "2026-03-08T12:00:00.000Z"}
    assert custody_sentence("released", detail).startswith("released to 51234 for report, until 2026-03-08")
    assert custody_sentence("opened", {}) == "opened by ?"
    assert custody_sentence("something_new", {}) == "something new"
    assert custody_sentence("refused", {"reason": "{person_id.__class__}"}) == "refused: {person_id.__class__}"
