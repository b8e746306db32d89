"""Taking footage in comes before telling of it; both go on whatever comes."""

from __future__ import annotations

import json
from pathlib import Path

from daemon.dock.background import BackgroundBudget
from tests.kit.agency import CLIP
from tests.kit.dock_fixture import open_house
from tests.kit.policy_fixture import TurnedClock


def test_work_that_may_wait_is_done_while_nobody_asks() -> None:
    budget = BackgroundBudget(TurnedClock(), lambda: False)
    share = budget.share(every=10)
    assert all(share.may_run() for _ in range(100))
    assert not budget.was_deferred()


def test_a_share_of_it_is_done_however_busy_the_bays_are() -> None:
    clock = TurnedClock()
    budget = BackgroundBudget(clock, lambda: True)
    telling, copying = budget.share(every=1), budget.share(every=5)
    granted = []
    for _ in range(11):
        granted.append((telling.may_run(), telling.may_run(), copying.may_run()))
        clock.turn(seconds=1)
    assert [first for first, _, _ in granted] == [True] * 11
    assert not any(again for _, again, _ in granted)
    assert [number for number, (_, _, copied) in enumerate(granted) if copied] == [0, 5, 10]


def test_a_bay_that_was_just_answered_is_taken_to_ask_for_more() -> None:
    clock = TurnedClock()
    budget = BackgroundBudget(clock, lambda: False)
    share = budget.share(every=10)
    assert share.may_run()
    budget.bay_asked()
    assert not share.may_run()
    assert budget.was_deferred(), "the loop has to look again soon"
    assert not budget.was_deferred(), "each is said once"
    clock.turn(seconds=1)
    assert share.may_run()


def test_a_receipt_stands_in_the_clips_own_custody_once_there_is_time(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        house.record(CLIP, b"footage")
        house.acknowledge()
        copies = house.service.copies
        wait, copies.deferred = copies.deferred, lambda may_run: None  # type: ignore[method-assign]
        assert house.look(3) == "done"
        assert [entry["action"] for entry in house.custody("receipted")] == ["receipted"]
        clip = house.dock.vault.find(CLIP)
        assert clip is not None

        def actions() -> list[str]:
            return [json.loads(entry["line"])["action"] for entry in json.loads(clip.custody.read_bytes())["entries"]]

        assert actions() == ["ingested", "tagged"]
        wait(lambda: False)
        assert actions() == ["ingested", "tagged"]
        wait(lambda: True)
        assert actions() == ["ingested", "tagged", "receipted"]
        assert house.evidence(CLIP).custody.entries[-1].action == "receipted"
