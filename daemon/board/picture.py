"""The board's picture of the agency: what docks, bays and clips were last said to be.

Written by the thread that listens, read by those that answer browsers; one lock over all of it.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import datetime

from daemon.board.clips import Clips, Judged, Known, Owed
from daemon.core.rate import Rate, time_left
from daemon.link.mqtt import Received
from daemon.model import statements as st
from daemon.model.documents import Bay, DockStatus, Notice, Standing
from daemon.model.errors import BwcError, SchemaError
from daemon.model.parse import check_model, parse_model
from daemon.model.topics import Topics
from daemon.seal import envelope as envelopes

log = logging.getLogger(__name__)
QUIET = 2.0
"""Seconds without a retained message: the broker has said all that it retains."""
PAGE = 50
_MOST_OWED = 100
_MOST_BAYS = 1000
_NOTE = 4096


@dataclass(frozen=True)
class BaySeen:
    """A bay and how fast it goes."""

    dock_id: str
    bay: Bay
    bytes_per_second: float
    generation: int

    @property
    def time_left(self) -> str:
        """Empty while nobody knows."""
        return time_left(self.bay.bytes_total - self.bay.bytes_done, self.bytes_per_second)


@dataclass(frozen=True)
class DockSeen:
    status: DockStatus
    generation: int


@dataclass(frozen=True)
class Link:
    """How the board itself stands with the broker. `lost`: why it hears nothing now, or None."""

    lost: str | None
    catching_up: bool
    heard_at: datetime | None


class Picture:
    """Everything that was heard. `bays_version` and `version` grow when what they cover has changed."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._lock = threading.Lock()
        self._clips = Clips()
        self._docks: dict[str, DockSeen] = {}
        self._checkpoints: dict[str, str] = {}
        self._bays: dict[tuple[str, str], BaySeen] = {}
        self._rates: dict[tuple[str, str], Rate] = {}
        self._generation = 0
        self._newest = 0.0
        self._link = Link("not connected yet", catching_up=True, heard_at=None)
        self.version = self.bays_version = 0

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """All that the board ever asks of the broker."""
        topics = self._topics
        return (
            topics.status("+"),
            topics.bay("+", "+"),
            topics.clip("+", "+"),
            topics.checkpoint("+"),
            topics.standing("+", "+"),
        )

    def close(self) -> None:
        with self._lock:
            self._clips.close()

    # what the listening thread says

    def connected(self) -> None:
        """From now on the broker says again all that it retains; what it does not, is gone once it is quiet."""
        with self._lock:
            self._generation += 1
            self._newest = time.monotonic()
            self._link = Link(None, catching_up=True, heard_at=self._link.heard_at)
            self._changed()

    def disconnected(self, reason: str) -> None:
        """All that is shown stays, as of then."""
        with self._lock:
            self._link = Link(reason, catching_up=False, heard_at=self._link.heard_at)
            self._changed()

    def hear(self, messages: list[Received], at: datetime) -> None:
        """A batch of messages. One that is no such document is left out, and named in the log."""
        with self._lock, self._clips.batch():
            for message in messages:
                if message.retained:
                    self._newest = time.monotonic()
                try:
                    self._take(message)
                except BwcError as error:
                    log.warning("left out: %s: %s", message.topic[:200], error)
            self._link = Link(self._link.lost, self._link.catching_up, at)

    def tick(self) -> None:
        """Ends catching up once the broker is quiet."""
        with self._lock:
            if not self._link.catching_up or self._link.lost or time.monotonic() - self._newest < QUIET:
                return
            with self._clips.batch():
                self._clips.drop_older(self._generation)
            self._docks = {key: dock for key, dock in self._docks.items() if dock.generation == self._generation}
            self._bays = {key: bay for key, bay in self._bays.items() if bay.generation == self._generation}
            self._rates = {key: rate for key, rate in self._rates.items() if key in self._bays}
            self._link = Link(None, catching_up=False, heard_at=self._link.heard_at)
            self._changed()

    def _changed(self) -> None:
        self.version += 1
        self.bays_version += 1

    def _take(self, message: Received) -> None:
        match self._topics.split(message.topic):
            case ("dock", dock_id, "status") if message.payload:
                self._take_status(dock_id, parse_model(DockStatus, message.payload, what="status"))
            case ("dock", dock_id, "checkpoint") if message.payload:
                self._checkpoints[dock_id] = message.payload[:_NOTE].decode("utf-8", "replace")
                self.version += 1
            case ("dock", dock_id, "bay", name) if message.payload:
                self._take_bay(dock_id, name, parse_model(Bay, message.payload, what="bay"))
            case ("dock", dock_id, "clip", clip_id):
                self._take_clip(dock_id, clip_id, message.payload)
            case ("standing", dock_id, clip_id) if message.payload:
                standing = parse_model(Standing, message.payload, what="standing")
                _same(standing.clip_id, clip_id)
                self._clips.put_standing(dock_id, standing, self._generation)
                self.version += 1
            case _:
                pass

    def _take_status(self, dock_id: str, status: DockStatus) -> None:
        _same(status.dock_id, dock_id)
        self._docks[dock_id] = DockSeen(status, self._generation)
        self._changed()

    def _take_bay(self, dock_id: str, name: str, bay: Bay) -> None:
        _same(bay.bay, name)
        key = (dock_id, name)
        if key not in self._bays and len(self._bays) >= _MOST_BAYS:
            raise SchemaError(f"more than {_MOST_BAYS} bays")
        rate = self._rates.setdefault(key, Rate())
        rate.saw(time.monotonic(), bay.bytes_done)
        speed = rate.bytes_per_second if bay.state == "reading" else 0.0
        self._bays[key] = BaySeen(dock_id, bay, speed, self._generation)
        self.bays_version += 1

    def _take_clip(self, dock_id: str, clip_id: str, payload: bytes) -> None:
        if not payload:
            changed = self._clips.drop_disposed(dock_id, clip_id)
        else:
            notice = parse_model(Notice, payload, what="notice", limit=envelopes.LIMIT)
            _same(notice.dock_id, dock_id)
            _same(notice.clip_id, clip_id)
            for kind, plain in ((st.Capture, notice.capture), (st.Activation, notice.activation)):
                if plain is not None:
                    check_model(kind, plain, what="notice")
            changed = self._clips.put(notice, self._generation)
        self.version += changed

    # what browsers ask

    @property
    def link(self) -> Link:
        return self._link

    def docks(self) -> list[DockSeen]:
        with self._lock:
            return [self._docks[name] for name in sorted(self._docks)]

    def checkpoint(self, dock_id: str) -> str | None:
        """The newest signed note that was heard, as it came."""
        with self._lock:
            return self._checkpoints.get(dock_id)

    def bays(self, dock_id: str | None) -> list[BaySeen]:
        """The bays of one dock, or of all, by name."""
        with self._lock:
            return [self._bays[key] for key in sorted(self._bays) if dock_id in {None, key[0]}]

    def locked(self, search: str, page: int) -> tuple[list[Known], bool]:
        """One page of locked clips, the newest first, and whether there are more."""
        with self._lock:
            found = self._clips.page("locked", search, PAGE + 1, page * PAGE)
        return found[:PAGE], len(found) > PAGE

    def owed(self) -> list[Owed]:
        with self._lock:
            return self._clips.owed(_MOST_OWED)

    def judged(self, since: datetime) -> list[Judged]:
        """How the assignments dispatched since then went."""
        with self._lock:
            return self._clips.judged(since)

    def clip(self, dock_id: str, clip_id: str) -> Known | None:
        with self._lock:
            return self._clips.one(dock_id, clip_id)


def _same(said: str, topic: str) -> None:
    if said != topic:
        raise SchemaError(f"speaks of {said}, but came on the topic of {topic}")
