"""Eviction: a file leaves the vault only once its copy was read whole and custody says where it lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.core.pacing import Pace, at_full_speed
from daemon.custody.log import open_read_only
from daemon.dock.context import DockContext, Transaction
from daemon.dock.upkeep import eviction
from daemon.model.errors import BwcError, TamperedError, UnavailableError
from daemon.vault.reading import MissingError
from daemon.vault.replica.keys import sealed_key
from tests.kit import agency
from tests.kit.agency import CLIP, OTHER_CLIP
from tests.kit.dock_fixture import House, open_house


class Copies:
    """An object store as eviction sees it: what is asked of it, and what it answers."""

    url = "s3://never-asked/dock-1"

    def __init__(self) -> None:
        self.read: list[str] = []
        self.answer: Callable[[str], None] = lambda key: None

    def check(self, key: str, size: int, pace: Pace) -> None:
        assert pace is at_full_speed and size > 0
        self.read.append(key)
        self.answer(key)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Two clips with receipts, both in the replica; the vault may keep one byte."""
    with open_house(tmp_path, replica={"url": "s3://never-asked", "spool_bytes": 1}) as made:
        made.acknowledge()
        for name in (CLIP, OTHER_CLIP):
            made.record(name, f"footage of {name}".encode())
            made.look(3)
            made.service.run_in_transaction(in_the_replica, name)
            made.clock.turn(seconds=1)
        yield made


@pytest.fixture
def copies() -> Copies:
    return Copies()


def in_the_replica(tx: Transaction, clip_id: str) -> None:
    clip = tx.store.clip(clip_id)
    assert clip is not None
    tx.dock.replica.held(clip)
    job = tx.dock.replica.job(clip_id)
    assert job is not None
    tx.dock.replica.done(job, "2023-11-29T22:00:00.000Z")


def make_room(house: House, copies: Copies) -> list[tuple[str | None, BwcError]]:
    """Evicts what may go; the alarms."""
    alarms: list[tuple[str | None, BwcError]] = []

    def alarm(clip_id: str | None, error: BwcError) -> None:
        alarms.append((clip_id, error))

    eviction.make_room(house.dock, house.service, copies, at_full_speed, alarm)  # type: ignore[arg-type]
    return alarms


def here(house: House) -> set[str]:
    return {path.parent.name for path in house.dock.vault.root.glob("*/*/clip.sealed")}


def key(house: House, clip_id: str) -> str:
    clip = house.dock.store.clip(clip_id)
    assert clip is not None
    return sealed_key(clip_id, clip.sealed_sha256)


def test_the_oldest_goes_first_and_custody_says_where_it_lies(house: House, copies: Copies) -> None:
    assert make_room(house, copies) == []
    assert here(house) == set()
    assert copies.read == [key(house, CLIP), key(house, OTHER_CLIP)], "each read whole, the oldest first"
    first, _ = house.custody("evicted")
    assert (first["clip_id"], first["detail"]["url"], first["detail"]["key"]) == (CLIP, Copies.url, copies.read[0])
    assert house.dock.vault.clip(CLIP).seal.exists(), "statements and custody stay"


def test_custody_is_durable_before_a_file_goes(house: House, copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    finish = eviction.finish_recorded

    def finishing(dock: DockContext) -> None:
        """Asks as somebody else would, who sees only what is committed."""
        with open_read_only(dock.config.state / "dock.sqlite", dock.custody.origin, dock.dock_id) as log:
            seen.append(sum(b'"evicted"' in line for line in log.lines()))
        finish(dock)

    monkeypatch.setattr(eviction, "finish_recorded", finishing)
    make_room(house, copies)
    assert seen == [1, 2]


def test_what_a_crash_left_is_removed_at_the_next_start(
    house: House, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as crash:
        crash.setattr(eviction, "finish_recorded", lambda _: None)
        make_room(house, copies)
    assert here(house) == {CLIP, OTHER_CLIP}, "recorded; the files go after the commit"
    assert len(house.custody("evicted")) == 2
    house.service.recover()
    assert here(house) == set(), "finished at the next start"
    assert len(house.custody("evicted")) == 2
    house.service.recover()


@pytest.mark.parametrize(("error", "alarmed"), [(TamperedError("other bytes"), True), (MissingError("gone"), False)])
def test_a_copy_that_does_not_hold_keeps_the_file_here_and_is_made_again(
    house: House, copies: Copies, error: BwcError, alarmed: bool
) -> None:
    def answer(asked: str) -> None:
        if asked == key(house, CLIP):
            raise error

    copies.answer = answer
    alarms = make_room(house, copies)
    assert [clip_id for clip_id, _ in alarms] == ([CLIP] if alarmed else [])
    assert here(house) == {CLIP}, "the others go on"
    assert not house.dock.replica.is_held(CLIP)
    assert house.dock.replica.job(CLIP) is not None
    assert [entry["clip_id"] for entry in house.custody("evicted")] == [OTHER_CLIP]


def test_a_store_that_does_not_answer_evicts_nothing(house: House, copies: Copies) -> None:
    def answer(_: str) -> None:
        raise UnavailableError("no answer")

    copies.answer = answer
    with pytest.raises(UnavailableError):
        make_room(house, copies)
    assert here(house) == {CLIP, OTHER_CLIP}
    assert house.custody("evicted") == []
    assert house.dock.replica.is_held(CLIP), "that nobody answers says nothing about the copy"


def test_a_clip_disposed_of_while_its_copy_is_read_is_not_said_to_lie_there(house: House, copies: Copies) -> None:
    clip = house.dock.store.clip(CLIP)
    assert clip is not None
    said = agency.statement("disposal", clip_sha256=clip.clip_sha256, ordered_at=house.clock.now())
    order = agency.signed(said, "policy").to_bytes()

    def answer(asked: str) -> None:
        if asked.startswith(f"clips/{CLIP}/"):
            house.hear(house.dock.topics.order("dock-1", CLIP), order)

    copies.answer = answer
    make_room(house, copies)
    assert [entry["clip_id"] for entry in house.custody("evicted")] == [OTHER_CLIP]
    assert len(house.custody("disposed")) == 1


def test_without_a_bound_nothing_goes(tmp_path: Path, copies: Copies) -> None:
    with open_house(tmp_path, replica={"url": "s3://never-asked"}) as house:
        house.acknowledge()
        house.record(CLIP, b"footage")
        house.look(3)
        house.service.run_in_transaction(in_the_replica, CLIP)
        house.service.ledger.want_room(1 << 62)
        make_room(house, copies)
        assert (here(house), copies.read) == ({CLIP}, [])


def test_room_that_came_by_itself_is_not_wanted_any_more(tmp_path: Path, copies: Copies) -> None:
    with open_house(tmp_path, replica={"url": "s3://never-asked", "spool_bytes": 1 << 40}) as house:
        house.acknowledge()
        house.record(CLIP, b"footage")
        house.look(3)
        house.service.run_in_transaction(in_the_replica, CLIP)
        house.service.ledger.want_room(1)
        make_room(house, copies)
        assert (here(house), copies.read, house.service.state.room_wanted) == ({CLIP}, [], 0)
