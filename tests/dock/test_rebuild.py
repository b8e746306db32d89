"""A lost database made anew from the vault: nothing is open, nothing is lost, nothing comes back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.core.lifecycle import State
from daemon.custody.log import NewEntry
from daemon.dock.context import Transaction
from daemon.dock.rebuild import Rebuilt, rebuild
from daemon.dock.store.meta import MetaKey
from daemon.dock.store.rows import HeldClip
from daemon.model import statements as st
from daemon.model.custody_actions import CustodyAction
from daemon.model.errors import ConfigurationError, TamperedError
from daemon.model.times import format_instant
from daemon.seal.envelope import Envelope
from tests.core.dispatch import calls
from tests.dock.dispatch.scene import newest_tag
from tests.kit import agency
from tests.kit.agency import CLIP, NOW, OTHER_CLIP
from tests.kit.dock_fixture import House, open_house
from tests.kit.policy_fixture import TurnedClock


def made_anew(house: House, *, read_data: bool = True, progress: Callable[[str], None] = lambda _: None) -> Rebuilt:
    return rebuild(house.dock.config, TurnedClock(), read_data, progress)


@contextmanager
def rebuilt(house: House) -> Iterator[House]:
    """The dock goes on with a database that was made anew."""
    house.lose_the_database()
    made_anew(house)
    with open_house(house.root) as again:
        yield again


def order(house: House, statement: st.Statement) -> None:
    """The policy service sends it."""
    house.hear(house.dock.topics.order("dock-1", CLIP), agency.signed(statement, "policy").to_bytes())


def hear(house: House, word: Envelope, person: str = "records") -> None:
    """The broker gives somebody's word, once or again."""
    house.hear(house.dock.topics.attestation(person, word.kind, word.digest), word.to_bytes())


def correction(**changes: object) -> Envelope:
    return agency.signed(agency.statement("correction", **changes), "records")


def clip(house: House, clip_id: str = CLIP) -> HeldClip:
    found = house.dock.store.clip(clip_id)
    assert found is not None
    return found


def test_a_clip_is_known_as_it_was_but_by_its_file(house: House) -> None:
    before = clip(house)
    with rebuilt(house) as again:
        after = clip(again)
        assert replace(after, footage=before.footage, sequence=before.sequence) == before
        assert again.evidence(CLIP)


def test_what_was_announced_is_announced_anew_above_every_number_before(house: House) -> None:
    before = clip(house).sequence
    with rebuilt(house) as again:
        assert clip(again).sequence > before
        assert [row.clip_id for row in again.dock.store.notices_after(before, 10)] == [CLIP]


def test_custody_goes_on_where_it_was(house: House) -> None:
    before = list(house.dock.custody.lines())
    house.lose_the_database()
    assert made_anew(house) == Rebuilt(clips=1, entries=len(before))
    with open_house(house.root) as again:
        after = list(again.dock.custody.lines())
        assert after[: len(before)] == before
        [entry] = again.custody("rebuilt")
        assert entry["detail"] == {"clips": 1, "entries": len(before)}
        assert again.dock.store.get(MetaKey.CUSTODY_SENT) == str(len(before)), "what was told is not told again"


def test_of_a_time_before_it_no_tag_says_that_nothing_was_unclear(tmp_path: Path) -> None:
    """What dispatch had said is lost with the database. The tag said 1, and one later document would make it say 0."""
    with open_house(tmp_path) as house:
        begin, end = calls.at("21:10"), calls.at("21:50")
        house.record(CLIP, b"footage", officer_id="A", started_at=begin, triggered_at=begin, stopped_at=end)
        house.look()
        tell(house, "I9: 799 Z Dispatched 21:55", "I1: 711 - Dispatched 21:00")
        assert newest_tag(house, CLIP).unclear == 1
        with rebuilt(house) as again:
            tell(again, "I7: 798 A Dispatched 21:56", "I8: 799 A Dispatched 21:20")
            assert newest_tag(again, CLIP).unclear is None


@pytest.mark.parametrize(("hours", "unclear"), [(47, None), (49, 0)])
def test_of_a_time_in_which_no_call_from_before_it_is_open_they_do(
    house: House, hours: int, unclear: int | None
) -> None:
    with rebuilt(house) as again:
        begin = NOW + timedelta(hours=hours)
        again.clock.at = begin + timedelta(hours=2)
        end = begin + timedelta(minutes=5)
        again.record(OTHER_CLIP, b"new", officer_id="A", started_at=begin, triggered_at=begin, stopped_at=end)
        again.look()
        tell(again, f"I9: 799 Z Dispatched {(begin + timedelta(hours=1)).isoformat()}")
        assert newest_tag(again, OTHER_CLIP).unclear == unclear


def tell(house: House, *lines: str) -> None:
    """Dispatch says something."""
    for line in lines:
        house.service.receive_file(json.dumps(calls.document(line)).encode(), "a file.json")


def test_a_clock_that_reads_earlier_than_custody_is_not_trusted(house: House) -> None:
    house.clock.turn(minutes=10)
    house.look(1)
    with rebuilt(house) as again:
        assert not again.service.state.reading(again.dock).trusted
        again.clock.turn(minutes=10)
        assert again.service.state.reading(again.dock).trusted


def test_a_camera_that_still_has_the_clip_is_not_read_again(house: House) -> None:
    with rebuilt(house) as again:
        again.acknowledge()
        assert again.look(3) == "done"
        assert len(again.custody("ingested")) == 1


def test_every_release_has_ended_and_none_is_accepted_again(house: House) -> None:
    release = house.release(CLIP)
    order(house, release)
    assert clip(house).state == State.RELEASED
    with rebuilt(house) as again:
        assert clip(again).state == State.LOCKED
        assert [entry["detail"]["order_id"] for entry in again.custody("expired")] == ["order-1"]
        order(again, release)
        assert clip(again).state == State.LOCKED
        assert len(again.custody("released")) == 1


def test_an_opening_is_not_recorded_again(house: House) -> None:
    order(house, house.release(CLIP))
    opened = agency.signed(agency.statement("opened"), "officer")
    hear(house, opened, "officer")
    with rebuilt(house) as again:
        hear(again, opened, "officer")
        assert len(again.custody("opened")) == 1


def test_one_that_was_revoked_stays_revoked_and_does_not_end_twice(house: House) -> None:
    order(house, house.release(CLIP))
    order(house, agency.statement("revocation", revoked_at=house.clock.now()))
    with rebuilt(house) as again:
        assert [row.state for row in again.dock.store.orders(CLIP)] == ["revoked"]
        assert again.custody("expired") == []


def test_who_wore_the_camera_stays_corrected_and_the_same_word_counts_once(house: House) -> None:
    first = correction(officer_id="witness", admit=False)
    hear(house, first)
    with rebuilt(house) as again:
        assert clip(again).officer_id == "witness"
        hear(again, correction(officer_id="officer", admit=False))
        hear(again, first)
        assert clip(again).officer_id == "officer"


@pytest.mark.parametrize("admitted", [False, True])
@pytest.mark.parametrize("doubtful", [{"signer": "nobody"}, {"sha256": "0" * 64}], ids=["a stranger's", "of others"])
def test_a_capture_that_was_not_believed_is_not_believed_now(
    house: House, doubtful: dict[str, str], *, admitted: bool
) -> None:
    """Times of its own choice would make the footage old enough to be disposed of, its officer whoever it names."""
    house.record(OTHER_CLIP, b"doubtful", officer_id="witness", **doubtful)
    house.look(3)
    clip_id = house.id_of(OTHER_CLIP)
    word = correction(clip_id=clip_id, officer_id=None, admit=True)
    if admitted:
        hear(house, word)
    before = clip(house, clip_id)
    assert before.stopped_at is None
    with rebuilt(house) as again:
        after = clip(again, clip_id)
        assert replace(after, footage=before.footage, sequence=before.sequence) == before
        hear(again, word)
        assert clip(again, clip_id).state == State.LOCKED
        assert len(again.custody("admitted")) == 1


def test_footage_without_a_capture_is_of_who_wore_the_camera_when_it_docked(tmp_path: Path) -> None:
    with open_house(tmp_path, orphan_seconds=1e-9) as house:
        house.mount.footage("7", b"unsigned")
        house.look(2)
        house.mount.introduce(officer_id="witness", docked_at=format_instant(NOW + timedelta(hours=1)))
        house.mount.footage("8", b"unsigned as well")
        house.look(2)
        with rebuilt(house) as again:
            assert clip(again, again.id_of("7")).officer_id == "officer"
            assert clip(again, again.id_of("8")).officer_id == "witness"


def test_a_clip_that_was_disposed_of_never_comes_back(house: House) -> None:
    order(house, agency.statement("disposal", clip_sha256=clip(house).clip_sha256))
    assert house.dock.vault.find(CLIP) is None
    with rebuilt(house) as again:
        row = clip(again)
        assert (row.state, row.receipted, row.camera_serial) == (State.DISPOSED, True, "cam-1")
        again.acknowledge()
        again.look(3)
        assert again.dock.vault.find(CLIP) is None
        assert len(again.custody("ingested")) == 1


@pytest.mark.parametrize("disposed", [False, True])
def test_what_was_erased_from_its_camera_is_known(house: House, *, disposed: bool) -> None:
    def erased(tx: Transaction) -> None:
        tx.record(NewEntry(CustodyAction.ERASED, CLIP, {"bay": "bay-1"}))

    house.service.run_in_transaction(erased)
    if disposed:
        order(house, agency.statement("disposal", clip_sha256=clip(house).clip_sha256))
    with rebuilt(house) as again:
        assert clip(again).erased


def test_one_without_a_receipt_has_none_yet(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        house.record(CLIP, b"footage")
        assert house.look(2) == "waiting"
        with rebuilt(house) as again:
            assert not clip(again).receipted and not clip(again).erased


def test_each_clip_is_named_as_it_is_checked(house: House) -> None:
    named: list[str] = []
    house.lose_the_database()
    made_anew(house, progress=named.append)
    assert named == [CLIP]


def nothing_is_built(house: House) -> bool:
    return not (house.dock.config.state / "dock.sqlite").exists()


def test_a_database_that_is_there_is_left_alone(house: House) -> None:
    house.service.finish()
    path = house.dock.config.state / "dock.sqlite"
    before = path.read_bytes()
    with pytest.raises(ConfigurationError):
        made_anew(house)
    assert path.read_bytes() == before


def test_a_folder_that_is_no_docks_vault_is_not_taken_for_an_empty_one(house: House) -> None:
    house.lose_the_database()
    house.dock.vault.custody.rename(house.root / "elsewhere")
    with pytest.raises(ConfigurationError):
        made_anew(house)
    assert nothing_is_built(house)


def test_a_vault_that_another_dock_uses_is_left_alone(house: House) -> None:
    house.lose_the_database()
    lock = house.dock.vault.lock()
    with pytest.raises(ConfigurationError):
        made_anew(house)
    assert nothing_is_built(house)
    os.close(lock)
    assert made_anew(house).clips == 1, "it is let go when an attempt ends"


def test_a_clip_that_is_missing_is_named_and_nothing_is_built_until_it_is_back(house: House) -> None:
    house.lose_the_database()
    directory = house.dock.vault.clip(CLIP).path
    directory.rename(house.root / "elsewhere")
    with pytest.raises(TamperedError, match=CLIP):
        made_anew(house)
    assert nothing_is_built(house)
    (house.root / "elsewhere").rename(directory)
    assert made_anew(house).clips == 1


def test_a_changed_bit_of_footage_is_found_where_footage_is_read(house: House) -> None:
    house.lose_the_database()
    sealed = house.dock.vault.clip(CLIP).sealed
    data = bytearray(sealed.read_bytes())
    data[-1] ^= 1
    sealed.write_bytes(data)
    with pytest.raises(TamperedError, match=CLIP):
        made_anew(house)
    assert nothing_is_built(house)
    assert made_anew(house, read_data=False).clips == 1


def test_one_that_was_interrupted_is_begun_anew(house: House) -> None:
    house.lose_the_database()
    scratch = house.dock.config.state / "rebuilding"
    scratch.mkdir()
    for name in ("dock.sqlite", "dock.sqlite-wal"):
        (scratch / name).write_bytes(b"half of a database")
    assert made_anew(house).clips == 1
    assert not (scratch / "dock.sqlite").exists()
