"""Lock state in the store: it follows the orders, runs out by itself, and gains no time by a reboot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.core.lifecycle import State
from daemon.dock import lock_state
from daemon.dock.context import Transaction
from daemon.dock.store.rows import HeldClip, HonouredOrder
from daemon.model.times import format_instant
from tests.kit import agency
from tests.kit.agency import CLIP, NOW
from tests.kit.dock_fixture import House, open_house
from tests.kit.policy_fixture import TurnedClock

HOUR = 3600


@dataclass
class Rebooting(TurnedClock):
    """A clock whose machine can be started again: the boot clock begins at 0, under a new id."""

    since: float = 0.0
    boots: int = 1

    def boot(self) -> float:
        return self.at.timestamp() - self.since

    def boot_id(self) -> str:
        return f"boot {self.boots}"

    def start_again(self, wall: timedelta) -> None:
        """The machine was off for as long as its wall clock says, which may be wrong."""
        self.at += wall
        self.since, self.boots = self.at.timestamp(), self.boots + 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Rebooting:
    clock = Rebooting(since=NOW.timestamp())
    monkeypatch.setattr("tests.kit.dock_fixture.TurnedClock", lambda: clock)
    return clock


@pytest.fixture
def house(clock: Rebooting, tmp_path: Path) -> Iterator[House]:
    """A clip, released for an hour."""
    with open_house(tmp_path) as made:
        made.acknowledge()
        made.record(CLIP, b"footage")
        assert made.look(3) == "done"
        release = made.release(CLIP, expires_at=NOW + timedelta(hours=1))
        made.hear(made.dock.topics.order("dock-1", CLIP), agency.signed(release, "policy").to_bytes())
        assert clip(made).state == State.RELEASED
        yield made


def clip(house: House) -> HeldClip:
    found = house.dock.store.clip(CLIP)
    assert found is not None
    return found


def order(house: House) -> HonouredOrder:
    [found] = house.dock.store.orders(CLIP)
    return found


def shown(house: House) -> str:
    return lock_state.view_of(house.dock, clip(house), house.service.state.reading(house.dock)).state


def test_what_has_run_out_is_locked_without_anybody_asking(house: House, clock: Rebooting) -> None:
    before = clip(house).sequence
    clock.turn(seconds=HOUR - 1)
    house.service.step([])
    assert (clip(house).state, clip(house).sequence) == (State.RELEASED, before)
    clock.turn(seconds=1)
    assert shown(house) == "locked", "at that instant, before the loop has come round"
    house.service.step([])
    assert (clip(house).state, order(house).state) == (State.LOCKED, "expired")
    assert clip(house).sequence > before, "a new notice says so"
    house.service.step([])
    assert len(house.custody("expired")) == 1


def test_a_wall_clock_set_back_does_not_bring_back_what_ran_out(house: House, clock: Rebooting) -> None:
    clock.turn(seconds=HOUR)
    house.service.step([])
    clock.at -= timedelta(hours=2)
    house.service.step([])
    assert (clip(house).state, shown(house), order(house).state) == (State.LOCKED, "locked", "expired")


def test_a_wall_clock_that_stands_still_gives_no_more_time_than_the_boot_clock(house: House, clock: Rebooting) -> None:
    clock.since -= HOUR  # an hour has passed since boot; the wall clock says that none has
    assert shown(house) == "locked"
    house.service.step([])
    assert order(house).state == "expired"


def test_a_reboot_goes_on_with_what_was_left_whatever_the_wall_clock_says(house: House, clock: Rebooting) -> None:
    clock.turn(seconds=1200)
    house.service.step([])  # notes what is left
    clock.start_again(timedelta(seconds=-1200))  # it lost its time while the machine was off
    house.service.recover()
    assert (order(house).boot_id, order(house).deadline) == ("boot 2", HOUR - 1200)
    assert shown(house) == "locked", "its time is earlier than one it has noted"
    clock.turn(seconds=HOUR - 1200 - 1)
    house.service.step([])
    assert (clip(house).state, shown(house)) == (State.RELEASED, "released")
    clock.turn(seconds=1)
    house.service.step([])
    assert clip(house).state == State.LOCKED


def test_a_reboot_while_it_ran_out_locks_at_the_start(house: House, clock: Rebooting) -> None:
    clock.start_again(timedelta(hours=2))
    house.service.recover()
    assert (clip(house).state, order(house).state) == (State.LOCKED, "expired")


def test_a_start_without_a_reboot_changes_no_end(house: House, clock: Rebooting) -> None:
    before = order(house)
    clock.since -= 60  # a minute has passed that the wall clock did not count
    house.service.recover()
    assert order(house).deadline == before.deadline


def test_of_two_orders_the_one_that_is_left_keeps_it_released(house: House, clock: Rebooting) -> None:
    longer = house.release(CLIP, order_id="order-2", expires_at=NOW + timedelta(hours=2))
    house.hear(house.dock.topics.order("dock-1", CLIP), agency.signed(longer, "policy").to_bytes())
    clock.turn(seconds=HOUR)
    house.service.step([])
    assert (clip(house).state, shown(house)) == (State.RELEASED, "released")
    assert [entry["detail"]["order_id"] for entry in house.custody("expired")] == ["order-1"]


def test_an_order_whose_clip_is_gone_runs_out_all_the_same(house: House, clock: Rebooting) -> None:
    """Nothing can be locked any more; custody still says that it ended."""

    def orphan(tx: Transaction) -> None:
        clip_id = "00000000-0000-4000-8000-000000000000"
        ends = format_instant(NOW + timedelta(minutes=1))
        row = HonouredOrder(**(vars(order(house)) | {"order_id": "o", "clip_id": clip_id, "expires_at": ends}))
        tx.store.put_order(row)

    house.service.run_in_transaction(orphan)
    clock.turn(seconds=60)
    house.service.step([])
    assert [entry["detail"]["order_id"] for entry in house.custody("expired")] == ["o"]
    assert clip(house).state == State.RELEASED
