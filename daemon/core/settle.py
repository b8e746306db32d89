"""When a clip on a camera may be read: nobody is writing it any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Readiness = Literal["waiting", "settled", "orphan"]


@dataclass(frozen=True)
class FileStat:
    """What identifies one content of a file without reading it. Sizes in bytes, times in nanoseconds."""

    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True)
class Sighting:
    """A clip as one scan saw it: the footage, and its capture file where there is one. `at`: monotonic seconds."""

    footage: FileStat
    capture: FileStat | None
    at: float


def readiness(
    first: Sighting, now: Sighting, capture_size: int | None, orphan_seconds: float, settle_seconds: float
) -> Readiness:
    """`first` is the earliest scan since which nothing changed; `capture_size` what the capture says, None if unusable.

    settled: unchanged over two scans and as long as the capture says. orphan: unchanged for `orphan_seconds` without a
    usable capture, or with one that names another size: a camera broken in a struggle; to be taken in all the same.
    """
    if not quiet(first, now, settle_seconds):
        return "waiting"
    if capture_size == now.footage.size:
        return "settled"
    return "orphan" if now.at - first.at >= orphan_seconds else "waiting"


def quiet(first: Sighting, now: Sighting, settle_seconds: float) -> bool:
    """Whether it has not changed for long enough: before that nothing else about it matters."""
    return (first.footage, first.capture) == (now.footage, now.capture) and now.at - first.at >= settle_seconds
