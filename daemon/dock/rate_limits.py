"""How fast bytes may be moved just now, as [ingest] says: at night, backups may need the disk."""

from __future__ import annotations

from datetime import time

from daemon.model.clock import Clock
from daemon.model.config import Ingest
from daemon.model.zones import AgencyZone


def night_limit(settings: Ingest, clock: Clock, zone: AgencyZone) -> float:
    """How many bytes a second may be moved just now because it is night in `zone`; 0 is no limit."""
    at_night = _within(clock.now().astimezone(zone.zone).time(), settings.night_from, settings.night_to)
    return settings.night_bytes_per_second if at_night else 0.0


def _within(now: time, start: time, end: time) -> bool:
    return start <= now < end if start <= end else now >= start or now < end
