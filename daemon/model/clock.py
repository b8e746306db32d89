"""The clocks, behind one small interface so that decisions never read time themselves."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Wall clock (UTC, timezone-aware), seconds since boot (suspend included), monotonic seconds, this boot's id."""

    def now(self) -> datetime:
        """The wall clock, timezone-aware, in UTC."""

    def boot(self) -> float:
        """Seconds since boot, suspend included (CLOCK_BOOTTIME)."""

    def monotonic(self) -> float:
        """Seconds that only ever grow, for measuring how long something takes."""

    def boot_id(self) -> str:
        """What names this boot of the machine: another after every reboot."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """See Clock."""
        return datetime.now(UTC)

    def boot(self) -> float:
        """See Clock."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def monotonic(self) -> float:
        """See Clock."""
        return time.monotonic()

    def boot_id(self) -> str:
        """See Clock."""
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
