"""Recovery: what lies in its place is committed, what was only staged is dropped, and a second time changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.core.lifecycle import State
from daemon.dock import recovery
from daemon.dock.context import Transaction
from daemon.dock.ingest import intake
from daemon.model.errors import BwcError, NotDurableError
from tests.kit.agency import CLIP, OTHER_CLIP
from tests.kit.dock_fixture import House, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as made:
        made.acknowledge()
        yield made


def stopped_before_the_commit(house: House, stem: str = CLIP, signer: str = "cam-1") -> str:
    """The dock ends with a clip moved into its place and not committed; its id."""
    with pytest.MonkeyPatch.context() as crash:

        def fail(*_: Any) -> None:
            raise NotDurableError("the machine went off")

        crash.setattr(house.service.ledger, "commit", fail)
        house.record(stem, f"footage of {stem}".encode(), signer=signer)
        with pytest.raises(NotDurableError):
            house.look(2)
    [(clip_id, _)] = house.dock.store.staged()
    assert house.dock.store.clip(clip_id) is None
    return clip_id


def recovered(house: House) -> int:
    return house.service.run_in_transaction(recovery.recover)


@pytest.mark.parametrize(("signer", "state"), [("cam-1", State.LOCKED), ("nobody", State.QUARANTINED)])
def test_a_clip_in_its_place_is_taken_in_as_it_would_have_been(house: House, signer: str, state: State) -> None:
    clip_id = stopped_before_the_commit(house, signer=signer)
    assert recovered(house) == 1
    clip = house.dock.store.clip(clip_id)
    assert clip is not None and clip.state == state
    assert house.evidence(clip_id).seal.statement.clip_id == clip_id
    [entry] = house.custody("ingested")
    assert entry["clip_id"] == clip_id
    assert (clip.started_at is not None) == (state == State.LOCKED)
    assert house.dock.store.staged() == []
    assert [row.clip_id for row in house.dock.store.notices_after(0, 10)] == [clip_id], "it is announced"
    assert house.look(3) == ("done" if state == State.LOCKED else "waiting")
    assert len(house.custody("ingested")) == 1, "not read again"


def test_recovering_twice_changes_nothing(house: House) -> None:
    stopped_before_the_commit(house)
    recovered(house)
    before = house.dock.custody.size, house.dock.store.clips()
    assert recovered(house) == 0
    assert (house.dock.custody.size, house.dock.store.clips()) == before


def test_what_was_only_staged_is_dropped_and_read_again_under_a_new_key(house: House) -> None:
    clip_id = stopped_before_the_commit(house)
    sealed = house.dock.vault.clip(clip_id).sealed.read_bytes()
    house.dock.vault.clip(clip_id).path.rename(house.dock.vault.incoming / clip_id)
    assert recovered(house) == 0
    assert house.dock.store.staged() == [] and list(house.dock.vault.incoming.iterdir()) == []
    assert house.look(3) == "done"
    assert house.dock.vault.clip(clip_id).sealed.read_bytes() != sealed
    assert house.evidence(clip_id)


def test_nothing_stays_in_staging_but_what_is_being_disposed_of(house: House) -> None:
    incoming = house.dock.vault.incoming
    (incoming / OTHER_CLIP / "tags").mkdir(parents=True)
    (incoming / OTHER_CLIP / "clip.sealed").write_bytes(b"no job is known")
    (incoming / "elsewhere").mkdir()
    outside = house.root / "outside"
    outside.mkdir()
    (outside / "file").write_text("not ours to remove")
    (incoming / "link").symlink_to(outside)
    (incoming / f"{CLIP}.disposed").mkdir()
    recovered(house)
    assert sorted(path.name for path in incoming.iterdir()) == [f"{CLIP}.disposed", "link"]
    assert (outside / "file").exists()


def test_a_job_whose_clip_is_held_already_does_not_touch_it(house: House) -> None:
    """The commit came through, and its job was noted again by an attempt that ended."""
    house.record(CLIP, b"footage")
    assert house.look(3) == "done"
    house.service.run_in_transaction(lambda tx: tx.store.stage(CLIP, "an older job"))
    assert recovered(house) == 0
    assert house.evidence(CLIP)
    assert house.dock.store.staged() == []
    assert len(house.custody("ingested")) == 1


def test_a_vault_that_is_not_what_was_signed_stops_the_start_and_loses_nothing(house: House) -> None:
    clip_id = stopped_before_the_commit(house)
    house.dock.vault.clip(clip_id).seal.write_bytes(b"{")
    with pytest.raises(BwcError):
        recovered(house)
    assert [staged for staged, _ in house.dock.store.staged()] == [clip_id]
    assert house.dock.vault.clip(clip_id).sealed.exists()
    assert house.dock.store.clips() == []


def test_a_start_that_ends_in_the_middle_is_begun_anew(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    clip_id = stopped_before_the_commit(house)
    commit = intake.commit

    def ends(tx: Transaction, clips: Any) -> Any:
        commit(tx, clips)
        raise BwcError("the machine went off again")

    with monkeypatch.context() as crash:
        crash.setattr(intake, "commit", ends)
        with pytest.raises(BwcError):
            recovered(house)
    assert house.dock.store.clip(clip_id) is None
    assert recovered(house) == 1
    assert house.evidence(clip_id)


def test_a_clip_without_a_capture_is_finished_too(house: House) -> None:
    clip_id = stopped_before_the_commit(house, signer="nobody")
    directory = house.dock.vault.find(clip_id)
    assert directory is not None
    shutil.rmtree(house.mount.path / "clips")  # whatever its camera holds by now
    assert recovered(house) == 1
    assert house.evidence(clip_id).capture is None
