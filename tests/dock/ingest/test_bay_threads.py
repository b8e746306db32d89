"""Bays that have a camera in them: each look at what is docked brings the threads in line with it.

The readers are real processes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import pytest

from daemon.dock.camera.mounts import Docked
from daemon.dock.context import Transaction
from daemon.dock.ingest.bay_threads import BayThreads
from daemon.dock.ingest.ledger import IngestLedger
from daemon.model.documents import Bay
from tests.kit.agency import CLIP, OTHER_CLIP
from tests.kit.camera import Mount
from tests.kit.dock_fixture import House, open_house
from tests.kit.patience import PATIENCE

P = ParamSpec("P")
T = TypeVar("T")


class Bays:
    """A dock's bays, and its loop: one decision at a time, whichever thread asks."""

    def __init__(self, house: House, unseen: float = 0.0) -> None:
        self.house = house
        self.failures: list[BaseException] = []
        self.emptied: list[Bay] = []
        self._deciding = threading.Lock()
        self._changed = threading.Condition()
        self._standing: dict[tuple[str, str], Bay] = {}
        ledger = IngestLedger(house.dock, self)
        self.threads = BayThreads(ledger, house.service.read_turns, unseen, self.emptied.append)

    def run_in_transaction(
        self, decide: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        with self._deciding:
            return self.house.service.run_in_transaction(decide, *args, **kwargs)

    def show(self, identity: str, bay: Bay) -> None:
        with self._changed:
            self._standing[bay.bay, identity] = bay
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        self.failures.append(error)

    def docked(self, bay: str = "bay-1", identity: str = "1") -> dict[str, Docked]:
        return {bay: Docked(bay, self.house.mount.path.parent / bay, identity)}

    def until(self, state: str, bay: str = "bay-1", identity: str = "1", clips: int = 1) -> None:
        """Waits until this docking is shown so, with so many clips done."""

        def reached() -> bool:
            shown = self._standing.get((bay, identity))
            return shown is not None and (shown.state, shown.clips_done) == (state, clips)

        with self._changed:
            assert self._changed.wait_for(reached, PATIENCE), self._standing

    def two_docked(self) -> Mount:
        """A second camera, without clips, in a bay of its own; both were looked through."""
        other = Mount(self.house.mount.path.parent / "bay-2", self.house.root / "staging")
        other.introduce(serial="cam-2")
        self.threads.reconcile(self.docked() | self.docked("bay-2"))
        self.until("done")
        self.until("done", "bay-2", clips=0)
        return other

    def end(self) -> None:
        self.threads.stop()
        for thread in running():
            thread.join(PATIENCE)
        assert running() == []
        assert self.failures == []


def running() -> list[threading.Thread]:
    """Bays' threads, their helpers not among them."""
    return [thread for thread in threading.enumerate() if thread.name in {"bay bay-1", "bay bay-2"}]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A camera with one clip stands in its bay. It is looked at once, and then when it is woken."""
    with open_house(tmp_path, scan_seconds=PATIENCE * 10) as made:
        made.acknowledge()
        made.record(CLIP, b"footage")
        yield made


@pytest.fixture
def bays(house: House) -> Iterator[Bays]:
    made = Bays(house)
    try:
        yield made
    finally:
        made.end()


def test_a_camera_that_comes_is_taken_in_and_one_that_goes_leaves_an_empty_bay(bays: Bays) -> None:
    assert len(bays.threads) == 0
    bays.threads.reconcile(bays.docked())
    bays.until("done")
    assert len(bays.threads) == 1 and bays.emptied == []
    assert bays.threads.is_docked("bay-1", "1")
    [thread] = running()
    bays.threads.reconcile({})
    assert bays.emptied == [Bay(bay="bay-1", state="empty")]
    assert len(bays.threads) == 0 and not bays.threads.is_docked("bay-1", "1")
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert bays.house.dock.store.clip(CLIP) is not None


def test_one_that_stands_there_is_left_alone_however_often_it_is_seen(bays: Bays) -> None:
    for _ in range(3):
        bays.threads.reconcile(bays.docked())
    bays.until("done")
    bays.threads.reconcile(bays.docked())
    assert len(running()) == len(bays.threads) == 1
    assert bays.emptied == []
    assert len(bays.house.custody("docked")) == 1


def test_another_docking_in_the_same_bay_begins_anew(bays: Bays) -> None:
    bays.threads.reconcile(bays.docked())
    bays.until("done")
    bays.threads.reconcile(bays.docked(identity="2"))
    bays.until("done", identity="2")
    assert bays.threads.is_docked("bay-1", "2") and not bays.threads.is_docked("bay-1", "1")
    assert [bay.state for bay in bays.emptied] == ["empty"], "whoever listens sees that the first one left"
    assert len(bays.house.custody("docked")) == 2
    assert len(bays.house.custody("ingested")) == 1, "the clip is known again"


def test_other_bays_go_on_when_one_camera_goes(bays: Bays) -> None:
    bays.two_docked()
    bays.threads.reconcile(bays.docked())
    assert [bay.bay for bay in bays.emptied] == ["bay-2"]
    assert bays.threads.is_docked("bay-1", "1") and not bays.threads.is_docked("bay-2", "1")


def test_waking_has_every_bay_look_at_once(bays: Bays) -> None:
    other = bays.two_docked()
    bays.house.record(OTHER_CLIP, b"recorded since")
    other.introduce(serial="cam-9")
    bays.threads.wake()
    bays.until("done", clips=2)
    bays.until("refused", "bay-2", clips=0)


@pytest.mark.parametrize("stood_there", [True, False])
def test_only_what_stood_there_at_the_first_look_may_have_come_while_nobody_looked(
    house: House, *, stood_there: bool
) -> None:
    bays = Bays(house, unseen=30.0)
    try:
        bays.threads.reconcile(bays.docked() if stood_there else {})
        bays.threads.reconcile(bays.docked())
        bays.until("done")
        bays.threads.reconcile(bays.docked(identity="2"))
        bays.until("done", identity="2")
    finally:
        bays.end()
    unseen = [entry["detail"].get("unseen_seconds") for entry in house.custody("docked")]
    assert unseen == [30.0 if stood_there else None, None]


def test_stopping_ends_them_all_and_says_of_no_bay_that_it_is_empty(bays: Bays) -> None:
    bays.two_docked()
    bays.end()
    assert bays.emptied == []
