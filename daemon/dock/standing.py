"""A bay's standing, as published: who is docked, how far the dock has come, and why it waits."""

from __future__ import annotations

from collections.abc import Callable

from daemon.model.documents import Bay, BayState
from daemon.model.types import LARGEST, Id


class Standing:
    """Collects a docking's progress and publishes it when it changed. Sizes in bytes."""

    def __init__(self, bay: str, show: Callable[[Bay], None]) -> None:
        self._bay = bay
        self._show = show
        self._last: Bay | None = None
        self.camera_serial: Id | None = None
        self.officer_id: Id | None = None
        self._sizes: dict[str, int] = {}
        self._done: set[str] = set()
        self._reading = 0

    def saw(self, stem: str, size: int) -> None:
        """A clip is on the camera."""
        self._sizes[stem] = size

    def gone(self, stem: str) -> None:
        """A clip is no longer on the camera. One the dock does not hold is forgotten: names cost a camera nothing."""
        if stem not in self._done:
            self._sizes.pop(stem, None)

    def reading(self, done: int) -> None:
        """`done` bytes of the clip being read."""
        self._reading = done
        self.set("reading")

    def held(self, stem: str) -> None:
        """The dock holds this clip."""
        self._reading = 0
        self._done.add(stem)

    def set(self, state: BayState, reason: str | None = None) -> None:
        """Publishes `state`, unless nothing changed."""
        bay = Bay(
            bay=self._bay,
            state=state,
            camera_serial=self.camera_serial,
            officer_id=self.officer_id,
            clips_total=len(self._sizes),
            clips_done=len(self._done),
            bytes_total=min(sum(self._sizes.values()), LARGEST),  # an empty file may claim 8 EiB
            bytes_done=min(sum(self._sizes[stem] for stem in self._done) + self._reading, LARGEST),
            reason=reason[:500] if reason else None,
        )
        if bay != self._last:
            self._last = bay
            self._show(bay)
