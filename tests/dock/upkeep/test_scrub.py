"""Scrubbing: every clip and the log are read again; damage is recorded once; a round goes on after a stop."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.custody.vault_check import check_clip
from daemon.dock.store.meta import MetaKey
from daemon.dock.upkeep import scrub
from daemon.dock.upkeep.scrub import Scrubber
from daemon.model.times import format_instant
from tests.kit.agency import CLIP, NOW, OTHER_CLIP
from tests.kit.dock_fixture import House, open_house
from tests.kit.patience import PATIENCE


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as made:
        made.acknowledge()
        for name in (CLIP, OTHER_CLIP):
            made.record(name, f"footage of {name}".encode())
        assert made.look(3) == "done"
        yield made


def round_of(house: House) -> int:
    """One round; its findings."""
    ended = threading.Event()
    scrubber = Scrubber(house.dock, house.service, ended.set)
    scrubber.start()
    assert ended.wait(PATIENCE)
    scrubber.stop()
    assert house.service.failure is None
    found = house.dock.store.get(MetaKey.SCRUBBED_FOUND)
    assert found is not None
    return int(found)


def next_round(house: House) -> int:
    house.clock.turn(seconds=house.dock.config.scrub.every_seconds)
    return round_of(house)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_vault_that_holds(house: House) -> None:
    assert round_of(house) == 0
    assert house.dock.store.get(MetaKey.SCRUBBED_AT) == format_instant(NOW)
    assert house.dock.store.get(MetaKey.SCRUB_CURSOR) is None
    assert house.custody("damaged") == []


@pytest.mark.parametrize("name", ["clip.sealed", "seal.json", "capture.json", "custody.json", "tags/1.json"])
def test_one_bit_of_any_file_is_found_and_named(house: House, name: str) -> None:
    flip(house.dock.vault.clip(CLIP).path / name)
    assert round_of(house) > 0
    entries = house.custody("damaged")
    assert {entry["clip_id"] for entry in entries} == {CLIP}, "the other clip is sound"
    assert all(str(house.root) not in str(entry["detail"]) for entry in entries), "no path of this machine"


def test_what_is_found_again_is_recorded_once_and_counted_each_time(house: House) -> None:
    flip(house.dock.vault.clip(CLIP).sealed)
    assert [round_of(house), next_round(house)] == [1, 1]
    assert len(house.custody("damaged")) == 1


def test_a_line_of_the_log_that_was_changed_is_found(house: House) -> None:
    [path] = house.dock.vault.custody.glob("*.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"ingested"', b'"erased"', 1))
    assert round_of(house) > 0
    assert {entry.get("clip_id") for entry in house.custody("damaged")} == {None}


def test_a_row_of_the_docks_own_log_that_was_changed_is_found(house: House) -> None:
    changed = (house.dock.custody.line(1) or b"").replace(b"ingested", b"erasable")
    house.dock.store.db.execute("UPDATE custody_entry SET line = ? WHERE sequence = 1", (changed,))
    assert round_of(house) > 0
    assert "dock.sqlite" in {Path(entry["detail"]["path"]).name for entry in house.custody("damaged")}


def test_a_round_that_was_interrupted_goes_on_where_it_was(house: House) -> None:
    flip(house.dock.vault.clip(CLIP).sealed)  # before the place that the round had come to
    house.dock.store.set(MetaKey.SCRUB_CURSOR, f"clips/{CLIP}")
    house.dock.store.set(MetaKey.SCRUB_FOUND, "3")
    assert round_of(house) == 3
    assert house.custody("damaged") == []
    assert next_round(house) == 1, "the next begins anew"


def test_it_is_not_begun_before_its_time(house: House) -> None:
    round_of(house)
    house.clock.turn(seconds=house.dock.config.scrub.every_seconds / 2)
    ended = threading.Event()
    scrubber = Scrubber(house.dock, house.service, ended.set)
    scrubber.start()
    scrubber.stop()
    assert not ended.is_set()
    assert house.dock.store.get(MetaKey.SCRUBBED_AT) == format_instant(NOW)


def changing_under_our_eyes(change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens to the clip between the first look at it and the second."""
    looked: list[str] = []

    def check(vault: Any, clip: Any) -> Any:
        if clip.path.name == CLIP and CLIP not in looked:
            looked.append(CLIP)
            sealed = clip.sealed.read_bytes()
            flip(clip.sealed)
            found = check_clip(vault, clip)
            clip.sealed.write_bytes(sealed)
            change(clip.path)
            assert found.findings
            return found
        return check_clip(vault, clip)

    monkeypatch.setattr(scrub, "check_clip", check)


def test_a_clip_that_is_disposed_of_meanwhile_is_no_finding(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    changing_under_our_eyes(shutil.rmtree, monkeypatch)
    assert round_of(house) == 0


def test_a_clip_that_was_being_written_is_looked_at_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    changing_under_our_eyes(lambda _: None, monkeypatch)
    assert round_of(house) == 0


def test_what_lies_in_the_vault_and_is_no_clip_is_named(house: House) -> None:
    (house.dock.vault.root / "clips" / "not-a-clip").mkdir()
    assert round_of(house) == 1
