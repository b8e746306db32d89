"""In which order a camera's clips are taken in, and which of them together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
WEAPONS = frozenset({"sidearm", "conducted_energy_weapon"})
SMALL = 1 << 20
"""Clips up to this size (bytes) are taken in together: one sync and one commit for all of them."""
_SHORT = 64 << 20
MOST_TOGETHER = 128
"""How many small clips make a batch, and how many receipts are given or clips erased together."""


@dataclass(frozen=True)
class Waiting(Generic[T]):
    """A clip that may be read. `trigger_on` is what started its recording, None where that is not known."""

    clip: T
    size: int
    trigger_on: str | None
    dispatched: bool

    @property
    def urgency(self) -> tuple[int, int]:
        """Weapons first, then what belongs to a dispatch call, then the rest; of equals the short before the long."""
        if self.trigger_on in WEAPONS:
            return 0, self.size
        return 1 if self.dispatched or self.trigger_on == "dispatch" else 2, self.size


def at_once(urgency: tuple[int, int]) -> bool:
    """Whether a clip never waits until others are read: a weapon was drawn, or it is done in a moment."""
    return urgency[0] == 0 or urgency[1] <= _SHORT


def batches(waiting: Iterable[Waiting[T]]) -> Iterator[list[Waiting[T]]]:
    """The most urgent first; a large clip alone, small ones together."""
    small: list[Waiting[T]] = []
    for clip in sorted(waiting, key=lambda clip: clip.urgency):
        if clip.size > SMALL:
            if small:
                yield small
                small = []
            yield [clip]
            continue
        small.append(clip)
        if len(small) == MOST_TOGETHER:
            yield small
            small = []
    if small:
        yield small
