"""Release orders and revocations: durable beside the clip and in custody before the lock shows them."""

from __future__ import annotations

from datetime import timedelta

from daemon.core.lifecycle import State
from daemon.dock import lock_state
from tests.kit import agency
from tests.kit.agency import CLIP
from tests.kit.dock_fixture import House


def order(house: House, statement: object) -> None:
    """The policy service sends it."""
    signed = agency.signed(statement, "policy")  # type: ignore[arg-type]
    house.hear(house.dock.topics.order("dock-1", CLIP), signed.to_bytes())


def state(house: House) -> State:
    clip = house.dock.store.clip(CLIP)
    assert clip is not None
    shown = lock_state.view_of(house.dock, clip, house.service.state.reading(house.dock)).state
    assert (shown == "released") == (clip.state == State.RELEASED), "store and notice say the same"
    return clip.state


def test_a_release_unlocks_and_its_end_locks_again(house: House) -> None:
    order(house, house.release(CLIP))
    assert state(house) == State.RELEASED
    assert house.dock.vault.clip(CLIP).release("order-1").exists()
    [released] = house.custody("released")
    assert released["detail"]["order_id"] == "order-1"
    house.clock.turn(seconds=7 * 86_400)
    house.service.step([])
    assert state(house) == State.LOCKED
    assert [entry["detail"]["order_id"] for entry in house.custody("expired")] == ["order-1"]


def test_a_revocation_locks_at_once(house: House) -> None:
    order(house, house.release(CLIP))
    order(house, agency.statement("revocation", order_id="order-1", revoked_at=house.clock.now()))
    assert state(house) == State.LOCKED
    assert len(house.custody("revoked")) == 1


def test_a_revocation_that_overtakes_its_release_keeps_it_from_ever_counting(house: House) -> None:
    release = house.release(CLIP)
    order(house, agency.statement("revocation", order_id="order-1", revoked_at=house.clock.now()))
    order(house, release)
    assert state(house) == State.LOCKED
    assert house.custody("released") == []
    [refused] = house.custody("refused")
    assert refused["detail"]["error"] == "ReplayedError"


def test_a_repeated_order_is_neither_recorded_nor_refused_again(house: House) -> None:
    release = house.release(CLIP)
    for _ in range(3):
        order(house, release)
    assert len(house.custody("released")) == 1
    assert house.custody("refused") == []


def test_one_live_order_of_two_keeps_it_released(house: House) -> None:
    order(house, house.release(CLIP))
    order(house, house.release(CLIP, order_id="order-2", expires_at=house.clock.now() + timedelta(hours=1)))
    house.clock.turn(seconds=2 * 3600)
    house.service.step([])
    assert state(house) == State.RELEASED
    assert [entry["detail"]["order_id"] for entry in house.custody("expired")] == ["order-2"]


def test_while_the_clock_is_not_trusted_nothing_is_released(house: House) -> None:
    house.clock.turn(seconds=60)
    house.service.step([])  # persists the time
    house.clock.turn(seconds=-50)
    order(house, house.release(CLIP))
    assert state(house) == State.LOCKED
    [refused] = house.custody("refused")
    assert refused["detail"]["error"] == "InconsistentError"
