"""A dock's database set back to an older state: the vault remembers more, and the dock refuses to start."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.model.clock import SystemClock
from daemon.model.errors import TamperedError
from tests.kit.agency import CLIP, OTHER_CLIP
from tests.kit.dock_fixture import House, open_house
from tests.kit.inline_dock import InlineService


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as made:
        made.acknowledge()
        made.record(CLIP, b"footage")
        made.look()
        yield made


def test_a_rolled_back_database_is_found_at_start(house: House, tmp_path: Path) -> None:
    state, backup = house.dock.config.state, tmp_path / "last week's"
    house.dock.store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copytree(state, backup)
    house.record(OTHER_CLIP, b"more footage")
    house.look()
    config, size = house.dock.config, house.dock.custody.size
    house.service.finish()
    shutil.rmtree(state)
    shutil.copytree(backup, state)
    with pytest.raises(TamperedError, match=f"has {size} entries, the store only") as refused:
        InlineService(config, SystemClock())
    assert refused.value.hint is not None
    assert (house.dock.vault.clip(OTHER_CLIP).path / "clip.sealed").exists(), "and nothing is touched"


def test_the_same_database_starts_again(house: House) -> None:
    house.service.finish()
    again = InlineService(house.dock.config, SystemClock())
    again.recover()
    assert again.dock.store.clip(CLIP) is not None
    again.finish()
