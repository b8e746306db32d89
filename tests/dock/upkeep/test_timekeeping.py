"""What time brings: the latest time is noted, a clock that went back locks everything, old documents are forgotten."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

import pytest

from daemon.core.lifecycle import State
from daemon.dock import lock_state
from daemon.dock.context import LoopState, Transaction
from daemon.dock.store.meta import MetaKey
from daemon.dock.upkeep.timekeeping import Timekeeping
from daemon.model.times import format_instant, parse_instant
from tests.kit import agency
from tests.kit.agency import CLIP, NOW
from tests.kit.dock_fixture import House


@pytest.fixture
def house(house: House) -> House:
    """The clip is released for a week."""
    release = agency.signed(house.release(CLIP), "policy")
    house.hear(house.dock.topics.order("dock-1", CLIP), release.to_bytes())
    return house


def latest(house: House) -> str | None:
    return house.dock.store.get(MetaKey.LATEST)


def tick(house: House, keeping: Timekeeping) -> bool:
    return house.service.run_in_transaction(keeping.tick)


def shown(house: House) -> str:
    clip = house.dock.store.clip(CLIP)
    assert clip is not None and clip.state == State.RELEASED, "its order goes on; the lock alone is doubtful"
    return lock_state.view_of(house.dock, clip, house.service.state.reading(house.dock)).state


def sequence(house: House) -> int:
    clip = house.dock.store.clip(CLIP)
    assert clip is not None
    return clip.sequence


def test_the_time_is_noted_now_and_then(house: House) -> None:
    keeping = Timekeeping()
    assert tick(house, keeping)
    house.clock.turn(seconds=9)
    assert not tick(house, keeping)
    house.clock.turn(seconds=1)
    assert tick(house, keeping)
    assert latest(house) == format_instant(NOW + timedelta(seconds=10))


def test_a_clock_that_went_back_locks_everything_until_it_has_caught_up(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    house.clock.turn(minutes=10)
    house.service.step([])
    assert shown(house) == "released"
    before = sequence(house)
    house.clock.turn(minutes=-5)
    house.service.step([])
    assert shown(house) == "locked"
    assert sequence(house) > before, "subscribers are told by a new notice"
    told = sequence(house)
    house.service.step([])
    assert sequence(house) == told, "once"
    house.clock.turn(minutes=5)
    house.service.step([])
    assert shown(house) == "released"
    assert sequence(house) > told
    assert len([record for record in caplog.records if "clock" in record.getMessage()]) == 2


def test_a_time_that_is_not_trusted_is_not_noted(house: House) -> None:
    """Else a clock set back would be trusted again at the second look."""
    house.clock.turn(minutes=10)
    house.service.step([])
    noted = latest(house)
    keeping = Timekeeping()
    house.clock.turn(minutes=-5)
    assert tick(house, keeping)
    assert latest(house) == noted
    assert shown(house) == "locked"


def test_a_clock_set_back_while_the_dock_was_off_is_not_trusted_either(house: House) -> None:
    house.clock.turn(minutes=10)
    house.service.step([])
    house.clock.turn(minutes=-5)
    assert not LoopState().reading(house.dock).trusted
    house.clock.turn(minutes=5)
    assert LoopState().reading(house.dock).trusted


def test_what_live_orders_have_left_is_noted_also_while_the_clock_is_not_trusted(house: House) -> None:
    [before] = house.dock.store.orders(CLIP)
    house.clock.turn(hours=1)
    house.service.step([])
    [after] = house.dock.store.orders(CLIP)
    assert after.remaining == before.deadline - house.clock.boot()


def test_old_dispatch_documents_are_forgotten_once_an_hour(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    pruned: list[datetime] = []
    monkeypatch.setattr(house.dock.dispatch, "prune", pruned.append)
    for _ in range(5):  # the first were forgotten at the start
        house.service.step([])
        house.clock.turn(minutes=30)
    keep = timedelta(days=house.dock.config.activation.keep_days)
    assert pruned == [NOW + timedelta(hours=1) - keep, NOW + timedelta(hours=2) - keep]


def test_nothing_is_decided_outside_a_transaction(house: House) -> None:
    tx = Transaction(house.dock, house.service.state)
    tx.end()
    house.clock.turn(days=8)
    with pytest.raises(AssertionError):
        Timekeeping().tick(tx)
    assert parse_instant(house.dock.store.orders(CLIP)[0].expires_at) < house.clock.now()
