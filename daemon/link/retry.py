"""What a broker refused is tried again after a while: an administrator may have mended its access list meanwhile."""

from __future__ import annotations

RETRY_SECONDS = 30.0


class RetryTimer:
    """Remembers that something was refused, until it is due again. Times are monotonic seconds, passed in."""

    def __init__(self) -> None:
        self._since: float | None = None

    @property
    def pending(self) -> bool:
        """Whether something is to be tried again."""
        return self._since is not None

    def refused(self, now: float) -> None:
        """Something was refused; the first refusal since counts."""
        if self._since is None:
            self._since = now

    def clear(self) -> None:
        """It starts afresh, on a new connection."""
        self._since = None

    def due(self, now: float) -> bool:
        """Whether to try again now; says so once."""
        if self._since is None or now - self._since < RETRY_SECONDS:
            return False
        self._since = None
        return True
