"""Which releases are live at this instant, and so whether a clip is locked or released.

Default deny: a clip is locked unless a live order says otherwise, and every doubt about time locks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

OrderState = Literal["live", "expired", "revoked"]


@dataclass(frozen=True)
class Reading:
    """One reading of the clocks. `boot` counts seconds since boot, suspend included (CLOCK_BOOTTIME).

    `trusted` is false when the wall clock reads earlier than a time already persisted.
    """

    now: datetime
    boot: float
    trusted: bool


@dataclass(frozen=True)
class Order:
    """A release order that was honoured. `deadline` is its end on the boot clock of this boot, in seconds."""

    order_id: str
    person_id: str
    purpose: str
    expires_at: datetime
    deadline: float
    revoked: bool = False
    expired: bool = False

    def state(self, reading: Reading) -> OrderState:
        """Live only while both clocks agree that it is; an order once seen expired stays so."""
        if self.revoked:
            return "revoked"
        if self.expired or reading.now >= self.expires_at or reading.boot >= self.deadline:
            return "expired"
        return "live"


@dataclass(frozen=True)
class LockView:
    """What a notice says of a clip's lock."""

    state: Literal["locked", "released"]
    reason: str


def lock_of(orders: Sequence[Order], reading: Reading, *, quarantined: bool) -> LockView:
    """Released while any order is live and the clock is trusted, else locked, and why."""
    states = [order.state(reading) for order in orders]
    if not reading.trusted:
        return LockView("locked", "the dock's clock reads earlier than a time already recorded")
    if quarantined:
        return LockView("locked", "in quarantine until a correction admits it")
    if "live" in states:
        return LockView("released", "a release order is live")
    if "revoked" in states:
        return LockView("locked", "the release order was revoked")
    if "expired" in states:
        return LockView("locked", "the release order has expired")
    return LockView("locked", "no release order")


def deadline(expires_at: datetime, reading: Reading, remaining: float = math.inf) -> float:
    """When an order ends on the boot clock: at most `remaining` seconds (persisted before a reboot) from now."""
    left = (expires_at - reading.now).total_seconds()
    return reading.boot + max(0.0, min(left, remaining))
