"""When and by whom a clip was recorded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from daemon.core.dispatch.activation import Clip


@dataclass(frozen=True)
class Recording:
    """As the camera says. Its clock was `skew` seconds ahead of the dock's."""

    clip_id: str
    officer_id: str
    started_at: datetime
    triggered_at: datetime
    stopped_at: datetime
    skew: float

    def corrected(self, max_skew: float) -> Clip:
        """On the dock's clock; a skew beyond `max_skew` seconds is shown, not applied."""
        clip = Clip(self.clip_id, self.officer_id, self.started_at, self.triggered_at, self.stopped_at)
        return clip.corrected(self.skew) if abs(self.skew) <= max_skew else clip
