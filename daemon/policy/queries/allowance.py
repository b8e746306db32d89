"""How often one person may ask."""

from __future__ import annotations

_BURST = 60.0
"""Questions that somebody who has not asked for a while may ask at once."""
_SECONDS_EACH = 2.0
"""Seconds after which one more question may be asked."""
_MOST_PEOPLE = 10_000


class Allowance:
    """A token bucket for each person. Times are monotonic seconds and are passed in."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, person_id: str, now: float) -> float:
        """Takes one question. Returns 0.0, or the seconds until one is left for a person who has asked too often."""
        left, since = self._left.pop(person_id, (_BURST, now))
        left = min(_BURST, left + (now - since) / _SECONDS_EACH)
        wait = 0.0 if left >= 1.0 else (1.0 - left) * _SECONDS_EACH
        self._left[person_id] = (left if wait else left - 1.0, now)
        if len(self._left) > _MOST_PEOPLE:
            del self._left[next(iter(self._left))]  # whoever asked longest ago
        return wait
