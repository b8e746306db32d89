"""Disposal: recorded first, destroyed after the commit, finished at the next start if need be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.core.lifecycle import State
from daemon.dock.inbox import disposal
from tests.kit import agency
from tests.kit.agency import CLIP
from tests.kit.dock_fixture import House, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as made:
        made.acknowledge()
        made.record(CLIP, b"footage")
        made.look(3)
        yield made


def dispose(house: House, **changes: object) -> None:
    about = {"clip_id": CLIP, "clip_sha256": house.evidence(CLIP).seal.statement.clip_sha256}
    order = agency.signed(agency.statement("disposal", **(about | changes)), "policy")
    house.hear(house.dock.topics.order("dock-1", CLIP), order.to_bytes())


def test_the_footage_and_its_keys_go_and_custody_keeps_the_fact(house: House) -> None:
    dispose(house)
    assert house.dock.vault.find(CLIP) is None
    assert list(house.dock.vault.incoming.iterdir()) == []
    clip = house.dock.store.clip(CLIP)
    assert clip is not None and clip.state == State.DISPOSED
    [entry] = house.custody("disposed")
    assert entry["clip_id"] == CLIP


def test_other_footage_under_this_id_is_not_destroyed(house: House) -> None:
    dispose(house, clip_sha256="0" * 64)
    assert house.evidence(CLIP)
    [refused] = house.custody("refused")
    assert refused["detail"]["error"] == "InconsistentError"


def test_what_a_crash_left_is_destroyed_at_the_next_start(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as crash:
        crash.setattr(disposal, "destroy_recorded", lambda _: None)
        dispose(house)
    assert house.dock.vault.find(CLIP) is not None, "recorded, and not destroyed yet"
    house.service.recover()
    assert house.dock.vault.find(CLIP) is None
    assert house.dock.store.destroying() == []
    assert len(house.custody("disposed")) == 1
