"""Disposal: recorded first, destroyed after the commit, finished at the next start if need be."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.core.lifecycle import State
from daemon.dock.inbox import disposal
from daemon.model.times import format_instant
from tests.kit import agency
from tests.kit.agency import CLIP
from tests.kit.dock_fixture import House, open_house


def dispose(house: House, **changes: object) -> None:
    about = {"clip_id": CLIP, "clip_sha256": house.evidence(CLIP).seal.statement.clip_sha256}
    order = agency.signed(agency.statement("disposal", **(about | changes)), "policy")
    house.hear(house.dock.topics.order("dock-1", CLIP), order.to_bytes())


def test_the_footage_and_its_keys_go_and_custody_keeps_the_fact(house: House) -> None:
    dispose(house)
    assert house.dock.vault.find(CLIP) is None
    assert list(house.dock.vault.incoming.iterdir()) == []
    clip = house.dock.store.clip(CLIP)
    assert clip is not None and clip.state == State.DISPOSED
    [entry] = house.custody("disposed")
    assert entry["clip_id"] == CLIP


def test_other_footage_under_this_id_is_not_destroyed(house: House) -> None:
    dispose(house, clip_sha256="0" * 64)
    assert house.evidence(CLIP)
    [refused] = house.custody("refused")
    assert refused["detail"]["error"] == "InconsistentError"


def test_what_a_crash_left_is_destroyed_at_the_next_start(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as crash:
        crash.setattr(disposal, "destroy_recorded", lambda _: None)
        dispose(house)
    assert house.dock.vault.find(CLIP) is not None, "recorded, and not destroyed yet"
    house.service.recover()
    assert house.dock.vault.find(CLIP) is None
    assert house.dock.store.destroying() == []
    assert len(house.custody("disposed")) == 1


# the dock's own clock


def _kept(house: House) -> bool:
    return house.dock.vault.find(CLIP) is not None


@pytest.fixture
def old(house: House) -> House:
    """The same dock, 181 days later."""
    house.clock.turn(days=181)
    return house


def test_footage_old_enough_by_this_clock_needs_no_court(old: House) -> None:
    dispose(old, court_order_sha256=None, ordered_at=old.clock.now())
    assert not _kept(old)


def test_younger_footage_goes_on_a_courts_order_alone(house: House) -> None:
    house.clock.turn(days=179)
    dispose(house, court_order_sha256=None, ordered_at=house.clock.now())
    dispose(house, court_order_sha256=None, ordered_at=house.clock.now())
    [refused] = house.custody("refused")
    assert refused["detail"]["error"] == "InconsistentError" and _kept(house)
    dispose(house, ordered_at=house.clock.now())
    assert not _kept(house)


def test_the_end_of_the_recording_counts_put_right_by_the_cameras_skew(tmp_path: Path) -> None:
    """A camera whose clock is a year slow dates what it records today a year ago."""
    with open_house(tmp_path) as house:
        house.acknowledge()
        year = timedelta(days=365)
        house.mount.introduce(docked_at=format_instant(house.clock.now() - year))
        times = {"started_at": 60, "triggered_at": 50, "stopped_at": 10}
        changes: dict[str, Any] = {
            name: house.clock.now() - year - timedelta(minutes=ago) for name, ago in times.items()
        }
        house.record(CLIP, b"footage", markers=[], **changes)
        house.look(3)
        dispose(house, court_order_sha256=None, ordered_at=house.clock.now())
        assert _kept(house)
        house.clock.turn(days=181)
        dispose(house, court_order_sha256=None, ordered_at=house.clock.now())
        assert not _kept(house)


@pytest.mark.parametrize("hours", [-61 / 60, 61 / 60, 24 * 3650])
def test_an_order_dated_otherwise_by_more_than_an_hour_when_first_heard_is_never_carried_out(
    old: House, hours: float
) -> None:
    at = old.clock.now() + timedelta(hours=hours)
    for _ in range(2):
        dispose(old, court_order_sha256=None, ordered_at=at)
    [refused] = old.custody("refused")
    assert refused["detail"]["error"] == "InconsistentError" and "clocks differ" in refused["detail"]["reason"]
    assert (
        old.dock.metrics.registry.get_sample_value(
            "bwc_dock_refusals_total", {"what": "disposal", "reason": "InconsistentError"}
        )
        == 1
    )
    old.clock.at = max(at, old.clock.at)
    dispose(old, court_order_sha256=None, ordered_at=at)
    assert _kept(old), "its moment has come, and it was refused before"
    old.clock.turn(minutes=1)
    dispose(old, court_order_sha256=None, ordered_at=old.clock.now())
    assert not _kept(old), "dated anew"


def test_an_order_a_few_minutes_ahead_waits_for_its_moment(old: House) -> None:
    at = old.clock.now() + timedelta(minutes=10)
    dispose(old, ordered_at=at)
    assert _kept(old)
    old.clock.turn(minutes=10)
    dispose(old, ordered_at=at)
    assert not _kept(old)


def test_a_clock_that_fell_back_disposes_of_nothing(old: House) -> None:
    old.service.state.latest = old.clock.now() + timedelta(seconds=1)
    dispose(old, ordered_at=old.clock.now())
    assert _kept(old)
