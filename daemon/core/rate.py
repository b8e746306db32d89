"""How fast something goes, and how long it still takes."""

from __future__ import annotations

from collections import deque

_OVER = 10.0
"""Seconds over which a rate is measured."""


class Rate:
    """Bytes a second, over the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def saw(self, at: float, done: int) -> None:
        """`done` bytes at `at` (monotonic seconds). Fewer than before: another camera is docked."""
        if self._seen and done < self._seen[-1][1]:
            self._seen.clear()
        self._seen.append((at, done))
        while len(self._seen) > 2 and at - self._seen[0][0] > _OVER:
            self._seen.popleft()

    @property
    def bytes_per_second(self) -> float:
        """The rate over the last seconds; 0 while it is not known."""
        if len(self._seen) < 2:
            return 0.0
        (start, first), (end, last) = self._seen[0], self._seen[-1]
        return (last - first) / (end - start) if end > start else 0.0


def time_left(size: int, bytes_per_second: float) -> str:
    """In words short enough for a screen in a dock room; empty where nobody knows."""
    if bytes_per_second <= 0 or size <= 0:
        return ""
    seconds = int(size / bytes_per_second) + 1
    return f"{seconds} s" if seconds < 100 else f"{seconds // 60 + 1} min"
