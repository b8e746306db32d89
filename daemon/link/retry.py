"""When to try again what a broker refused: an administrator may have corrected its access list meanwhile."""

from __future__ import annotations

RETRY_SECONDS = 30.0


class RetryTimer:
    """Remembers when something was refused, and says when to try again. Times are monotonic seconds, passed in."""

    def __init__(self) -> None:
        self._since: float | None = None

    @property
    def pending(self) -> bool:
        """Whether something is to be tried again."""
        return self._since is not None

    def refused(self, now: float) -> None:
        """Something was refused. The wait counts from the first refusal after the last try."""
        if self._since is None:
            self._since = now

    def clear(self) -> None:
        """Forgets the refusal: a new connection begins without one."""
        self._since = None

    def due(self, now: float) -> bool:
        """Whether to try again now. Returns True once for each wait."""
        if self._since is None or now - self._since < RETRY_SECONDS:
            return False
        self._since = None
        return True
