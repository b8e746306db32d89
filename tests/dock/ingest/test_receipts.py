"""Receipts: what keeps one back, and from when on a camera may erase."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.dock.context import Transaction
from daemon.dock.ingest import receipts
from daemon.model.statements import Receipt
from tests.kit.agency import CLIP, NOW, OTHER_CLIP
from tests.kit.dock_fixture import House, open_house

AFTER = 3600


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A clip is held; no receipt of it may be written yet."""
    with open_house(tmp_path, erase_after_seconds=AFTER) as made:
        made.record(CLIP, b"footage")
        assert made.look(2) == "waiting"
        yield made


def issued(house: House, clip_id: str = CLIP) -> Receipt | str:
    return house.service.run_in_transaction(receipts.issue, [clip_id])[clip_id]


def given(house: House) -> Receipt:
    receipt = issued(house)
    assert isinstance(receipt, Receipt)
    return receipt


def recorded(house: House) -> None:
    house.service.run_in_transaction(receipts.record, [CLIP], "bay-1")


def test_none_until_the_policy_service_can_open_what_is_sealed(house: House) -> None:
    assert isinstance(issued(house), str)
    house.acknowledge()
    row = house.dock.store.clip(CLIP)
    assert row is not None
    receipt = given(house)
    assert (receipt.clip_id, receipt.camera_serial, receipt.dock_id) == (CLIP, "cam-1", "dock-1")
    assert (receipt.clip_sha256, receipt.sealed_sha256) == (row.clip_sha256, row.sealed_sha256)
    [taken] = house.custody("ingested")
    assert receipt.sequence == taken["sequence"], "the entry of its intake, against which it can be proven"


def test_none_for_what_the_dock_does_not_hold(house: House) -> None:
    house.acknowledge()
    assert isinstance(issued(house, OTHER_CLIP), str)


def test_none_for_what_is_in_quarantine(house: House) -> None:
    house.acknowledge()
    house.record(OTHER_CLIP, b"other", signer="nobody")
    house.look(2)
    [entry] = house.custody("quarantined")
    assert isinstance(issued(house, entry["clip_id"]), str)


def test_none_while_custody_cannot_be_copied(house: House) -> None:
    house.acknowledge()
    house.service.state.custody_behind = True
    assert isinstance(issued(house), str)
    house.service.state.custody_behind = False
    assert given(house)


def test_none_before_the_replica_holds_it_where_that_is_asked_for(tmp_path: Path) -> None:
    with open_house(tmp_path, replica={"url": "s3://never-asked"}, receipt_when="replicated") as house:
        house.acknowledge()
        house.record(CLIP, b"footage")
        assert house.look(2) == "waiting"
        assert isinstance(issued(house), str)

        def held(tx: Transaction) -> None:
            clip = tx.store.clip(CLIP)
            assert clip is not None
            tx.dock.replica.held(clip)

        house.service.run_in_transaction(held)
        assert given(house)


def test_erasing_counts_from_the_first_receipt(house: House) -> None:
    """Not from the intake, before which a camera could not have known; and a second docking does not put it off."""
    house.acknowledge()
    house.clock.turn(hours=5)
    assert given(house).erase_after == NOW + timedelta(hours=5, seconds=AFTER)
    recorded(house)
    house.clock.turn(hours=5)
    assert given(house).erase_after == NOW + timedelta(hours=5, seconds=AFTER)
    recorded(house)
    house.clock.turn(hours=5)
    assert given(house).erase_after == NOW + timedelta(hours=5, seconds=AFTER)


def test_one_written_on_the_camera_is_recorded(house: House) -> None:
    house.acknowledge()
    assert house.custody("receipted") == []
    recorded(house)
    [entry] = house.custody("receipted")
    assert (entry["clip_id"], entry["detail"]) == (CLIP, {"bay": "bay-1"})
    row = house.dock.store.clip(CLIP)
    assert row is not None and row.receipted
