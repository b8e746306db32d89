"""How a bay stands, as published: who is docked, how far the dock has come, and why it waits."""

from __future__ import annotations

from collections.abc import Callable

from daemon.model.documents import Bay, BayState
from daemon.model.types import LARGEST, Id


class BayProgress:
    """Collects a docking's progress and publishes it when it changed. Sizes in bytes."""

    def __init__(self, bay: str, show: Callable[[Bay], None]) -> None:
        self._bay = bay
        self._show = show
        self.shown: Bay | None = None
        self.camera_serial: Id | None = None
        self.officer_id: Id | None = None
        self._sizes: dict[str, int] = {}
        self._done: set[str] = set()
        self._total = 0
        self._held = 0
        self._under_way: dict[int, int] = {}

    def saw(self, stem: str, size: int) -> None:
        """A clip is on the camera."""
        more = size - self._sizes.get(stem, 0)
        self._total += more
        if stem in self._done:
            self._held += more
        self._sizes[stem] = size

    def gone(self, stem: str) -> None:
        """A clip is no longer on the camera. One not held here is forgotten: a camera can invent names without end."""
        if stem not in self._done:
            self._total -= self._sizes.pop(stem, 0)

    def reading(self, batch: int, done: int) -> None:
        """`done` bytes of the clips in this batch are read."""
        self._under_way[batch] = done
        self.set("reading")

    def read(self, batch: int) -> int:
        """How many bytes of this batch are read, as last said."""
        return self._under_way.get(batch, 0)

    def ended(self, batch: int) -> None:
        """The batch is held, or was given up."""
        self._under_way.pop(batch, None)

    def held(self, stem: str) -> None:
        """The dock holds this clip."""
        if stem not in self._done:
            self._done.add(stem)
            self._held += self._sizes.get(stem, 0)

    def set(self, state: BayState, reason: str | None = None) -> None:
        """Publishes `state`, unless nothing changed."""
        bay = Bay(
            bay=self._bay,
            state=state,
            camera_serial=self.camera_serial,
            officer_id=self.officer_id,
            clips_total=len(self._sizes),
            clips_done=len(self._done),
            bytes_total=min(self._total, LARGEST),  # an empty file may claim 8 EiB
            bytes_done=min(self._held + sum(self._under_way.values()), LARGEST),
            reason=reason[:500] if reason else None,
        )
        if bay != self.shown:
            self.shown = bay
            self._show(bay)
