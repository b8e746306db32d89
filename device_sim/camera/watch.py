"""A camera that a person controls by single keys: dock, undock, record, choose a fault.

It does not read the keyboard itself: it gets keys one by one, and gives out lines of text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from device_sim.camera import docking as camera
from device_sim.camera import faults, memory
from device_sim.camera.bay import Bay
from device_sim.camera.docking import VERIFIED, Say, Stay, Visit
from device_sim.camera.recording import ClipSpec, Wearer, record
from device_sim.errors import SimError

KEYS = "d dock  u undock  r record a clip  f next fault  q quit"
_FAULTS = tuple(name for name in faults.FAULTS if name != "slow")
_WHILE_DOCKED = ("keep", "yank")


class Keys(Protocol):
    """Where keys come from."""

    def next(self) -> str | None:
        """The next key; None when none came for a moment; "" when no more will come."""


@dataclass(frozen=True)
class Hands:
    """What the keys act on. `spec` makes the specification of the next clip."""

    wearer: Wearer
    stay: Stay
    bay: Bay
    spec: Callable[[], ClipSpec]
    say: Say


class Watch:
    """One camera that is controlled until `q`, or until no more keys come."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._remembered = memory.Memory(hands.stay.store)
        self._docked = False
        self._visits: list[Visit] = []
        self._pending: list[Visit] = []
        self._faults: list[str | None] = [None, *_FAULTS]
        self._shown = ""

    def run(self, keys: Keys) -> None:
        """Handles keys until the end; then undocks the camera."""
        self._hands.say(KEYS)
        self._hands.bay.open()
        try:
            while True:
                self._show()
                key = keys.next()
                if key in ("q", ""):
                    return
                if key is not None:
                    self._press(key)
                self._attend()
        finally:
            if self._docked:
                self._undock()
            self._hands.bay.close()

    @property
    def _fault(self) -> str | None:
        return self._faults[0]

    def _press(self, key: str) -> None:
        act = {"d": self._dock, "u": self._undock, "r": self._record, "f": self._next_fault}.get(key)
        if act is None:
            self._hands.say(f"no key {key!r}; {KEYS}")
            return
        try:
            act()
        except SimError as error:
            self._hands.say(f"error: {error}{f'; {error.hint}' if error.hint else ''}")

    def _record(self) -> None:
        if self._docked:
            raise SimError("a docked camera does not record", hint="undock it: u")
        chosen = frozenset((self._fault,) if self._fault and self._fault not in _WHILE_DOCKED else ())
        clip = record(self._hands.wearer, self._hands.spec(), self._hands.stay.store / "clips", chosen)
        self._remembered.remember(clip)
        self._hands.say(f"recorded {clip.clip_id}: {clip.size_bytes:,} bytes{f', {self._fault}' if chosen else ''}")

    def _dock(self) -> None:
        if self._docked:
            raise SimError("docked already")
        hands = self._hands
        hands.bay.dock(hands.wearer.clock(datetime.now(UTC)))
        self._docked = True
        clips = hands.bay.path / "clips"
        self._visits = [Visit(c) for c in self._remembered.clips.values() if (clips / f"{c.clip_id}.mp4").exists()]
        self._pending = list(self._visits)

    def _undock(self) -> None:
        if not self._docked:
            raise SimError("not docked")
        bay = self._hands.bay
        if self._fault == "yank":
            bay.yank(bay.shadow(), ())
        else:
            bay.undock()
        self._docked, self._pending = False, []
        bay.open()

    def _next_fault(self) -> None:
        self._faults.append(self._faults.pop(0))
        if self._fault is not None:
            self._hands.say(f"fault {self._fault}: {faults.FAULTS[self._fault]}")

    def _attend(self) -> None:
        """Looks for receipts, and erases the clips that they cover, unless the fault is `keep`."""
        hands = self._hands
        if self._docked and self._pending:
            keep = self._fault == "keep"
            self._pending = camera.look_at_receipts(
                hands.wearer, hands.stay, hands.bay.path, self._remembered, self._pending, hands.say, keep=keep
            )

    def _show(self) -> None:
        """Prints the camera's state if it has changed."""
        if self._docked:
            received = sum(visit.receipt == VERIFIED for visit in self._visits)
            left = sum((self._hands.bay.path / "clips" / f"{v.clip.clip_id}.mp4").exists() for v in self._visits)
            now = f"docked in {self._hands.stay.bay}: {len(self._visits)} clips, {received} receipts, {left} to erase"
        else:
            now = f"undocked: {len(self._remembered.clips)} clips"
        now += f"; fault: {self._fault or 'none'}"
        if now != self._shown:
            self._shown = now
            self._hands.say(now)
