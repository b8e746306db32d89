"""Which clip is taken in first, and which together."""

from __future__ import annotations

import random

import pytest

from daemon.core.read_order import SMALL, Waiting, at_once, batches

LARGE = SMALL + 1


def waiting(name: str, size: int = 100, trigger: str | None = "button", *, dispatched: bool = False) -> Waiting[str]:
    return Waiting(name, size, trigger, dispatched)


def order(*clips: Waiting[str]) -> list[list[str]]:
    shuffled = list(clips)
    random.Random(1).shuffle(shuffled)
    return [[clip.clip for clip in batch] for batch in batches(shuffled)]


def test_weapons_then_dispatched_then_short_before_long() -> None:
    clips = [
        waiting("taser", LARGE + 9, "conducted_energy_weapon"),
        waiting("gun", LARGE + 10, "sidearm"),
        waiting("called", LARGE + 8, dispatched=True),
        waiting("sent", LARGE + 9, "dispatch"),
        waiting("short", LARGE),
        waiting("long", LARGE + 1, None),
    ]
    assert order(*clips) == [["taser"], ["gun"], ["called"], ["sent"], ["short"], ["long"]]


def test_small_ones_go_together_and_large_ones_alone() -> None:
    small = [waiting(f"small-{number:03}", number + 1) for number in range(130)]
    found = order(*small, waiting("large", LARGE), waiting("gun", LARGE, "sidearm"))
    assert [len(batch) for batch in found] == [1, 128, 2, 1]
    assert found[0] == ["gun"]
    assert [name for batch in found[1:3] for name in batch] == [clip.clip for clip in small]
    assert order() == []


@pytest.mark.parametrize(
    ("clip", "never_waits"),
    [
        (waiting("gun", 1 << 40, "sidearm"), True),
        (waiting("short", 64 << 20), True),
        (waiting("long", (64 << 20) + 1), False),
        (waiting("called", 1 << 40, dispatched=True), False),
    ],
)
def test_who_never_waits(clip: Waiting[str], never_waits: bool) -> None:
    assert at_once(clip.urgency) is never_waits
