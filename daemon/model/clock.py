"""The clocks, behind one small interface so that decisions never read time themselves."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Wall clock (UTC, timezone-aware), seconds since boot (suspend included), monotonic seconds, this boot's id."""

    def now(self) -> datetime: ...
    def boot(self) -> float: ...
    def monotonic(self) -> float: ...
    def boot_id(self) -> str: ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def boot(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def monotonic(self) -> float:
        return time.monotonic()

    def boot_id(self) -> str:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
