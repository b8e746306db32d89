"""How long the oldest notice has waited for the policy service's acknowledgement."""

from __future__ import annotations

from collections import deque

_GRAIN = 10.0
"""Notices within so many seconds share a mark: a broker that is away for a week costs some 60,000 marks."""


class Unacknowledged:
    """Remembers when notices were first seen. Times are monotonic seconds, passed in.

    Their order is enough: whatever has a higher sequence came later, and `through` covers all up to it.
    """

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def age(self, now: float, newest: int, through: int) -> float:
        """Seconds, at most ten too many; 0 when everything up to `newest` is acknowledged.

        `newest` is the highest sequence given so far, `through` the highest acknowledged.
        """
        marks = self._marks
        while marks and marks[0][1] <= through:
            marks.popleft()
        if newest > (marks[-1][1] if marks else through):
            if marks and now - marks[-1][0] < _GRAIN:
                marks[-1] = (marks[-1][0], newest)
            else:
                marks.append((now, newest))
        return now - marks[0][0] if marks else 0.0
