"""The board's picture of the agency: docks, bays and clips as they were last published.

The listener's thread writes it, and the threads that answer browsers read it. One lock protects all of it.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import datetime

from daemon.board.clips import ClipDatabase, OwedStatement, ShownClip, ShownVerdict
from daemon.core.rate import Rate, time_left
from daemon.link.mqtt import Received
from daemon.model import statements as st
from daemon.model.clock import Clock
from daemon.model.documents import Bay, DockStatus, Notice, Standing
from daemon.model.errors import BwcError, SchemaError
from daemon.model.parse import check_model, parse_model
from daemon.model.topics import Topics
from daemon.seal import envelope as envelopes

log = logging.getLogger(__name__)
QUIET = 2.0
"""Seconds without a retained message after which all of them have come."""
PAGE = 50
"""Clips on one page."""
_MOST_OWED = 100
_MOST_BAYS = 1000
_LONGEST_NOTE = 4096


@dataclass(frozen=True)
class KnownBay:
    """A bay as its dock last published it, and how fast it reads. `generation`: of the connection that brought it."""

    dock_id: str
    bay: Bay
    bytes_per_second: float
    generation: int

    @property
    def time_left(self) -> str:
        """How long reading still takes, in words. Empty while that is not known."""
        return time_left(self.bay.bytes_total - self.bay.bytes_done, self.bytes_per_second)


@dataclass(frozen=True)
class KnownDock:
    """A dock's status as it was last published. `generation`: of the connection that brought it."""

    status: DockStatus
    generation: int


@dataclass(frozen=True)
class BrokerLink:
    """The board's own connection to the broker. `lost`: why there is none, or None.

    `catching_up`: not all retained messages have come yet. `last_message_at`: when the last message came, or None.
    """

    lost: str | None
    catching_up: bool
    last_message_at: datetime | None


class Picture:
    """Everything that was received. `bays_version` and `version` grow when bays, or anything, have changed."""

    def __init__(self, topics: Topics, clock: Clock) -> None:
        """An empty picture. `clock` measures how long the broker is quiet, and how fast bays read."""
        self._topics = topics
        self._clock = clock
        self._lock = threading.Lock()
        self._clips = ClipDatabase()
        self._docks: dict[str, KnownDock] = {}
        self._checkpoints: dict[str, str] = {}
        self._bays: dict[tuple[str, str], KnownBay] = {}
        self._rates: dict[tuple[str, str], Rate] = {}
        self._generation = 0
        self._newest = 0.0
        self._link = BrokerLink("not connected yet", catching_up=True, last_message_at=None)
        self.version = self.bays_version = 0

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """All topics that the board subscribes to."""
        topics = self._topics
        return (
            topics.status("+"),
            topics.bay("+", "+"),
            topics.clip("+", "+"),
            topics.checkpoint("+"),
            topics.standing("+", "+"),
        )

    def close(self) -> None:
        """Closes the database of clips."""
        with self._lock:
            self._clips.close()

    # for the listener's thread

    def connected(self) -> None:
        """The broker now sends again all that it retains. What has not come by the end of that is dropped."""
        with self._lock:
            self._generation += 1
            self._newest = self._clock.monotonic()
            self._link = BrokerLink(None, catching_up=True, last_message_at=self._link.last_message_at)
            self._changed()

    def disconnected(self, reason: str) -> None:
        """The connection is lost. The picture stays as it is."""
        with self._lock:
            self._link = BrokerLink(reason, catching_up=False, last_message_at=self._link.last_message_at)
            self._changed()

    def receive(self, messages: list[Received], at: datetime) -> None:
        """Adds a batch of messages, received `at`. A message that cannot be read is left out, and logged."""
        with self._lock, self._clips.batch():
            for message in messages:
                if message.retained:
                    self._newest = self._clock.monotonic()
                try:
                    self._apply(message)
                except BwcError as error:
                    log.warning("left out: %s: %s", message.topic[:200], error)
            self._link = BrokerLink(self._link.lost, self._link.catching_up, at)

    def tick(self) -> None:
        """Ends catching up when the broker has been quiet for `QUIET`, and drops what it retains no longer."""
        with self._lock:
            if not self._link.catching_up or self._link.lost or self._clock.monotonic() - self._newest < QUIET:
                return
            with self._clips.batch():
                self._clips.drop_before(self._generation)
            self._docks = {key: dock for key, dock in self._docks.items() if dock.generation == self._generation}
            self._bays = {key: bay for key, bay in self._bays.items() if bay.generation == self._generation}
            self._rates = {key: rate for key, rate in self._rates.items() if key in self._bays}
            self._link = BrokerLink(None, catching_up=False, last_message_at=self._link.last_message_at)
            self._changed()

    def _changed(self) -> None:
        self.version += 1
        self.bays_version += 1

    def _apply(self, message: Received) -> None:
        match self._topics.split(message.topic):
            case ("dock", dock_id, "status") if message.payload:
                self._apply_status(dock_id, parse_model(DockStatus, message.payload, what="status"))
            case ("dock", dock_id, "checkpoint") if message.payload:
                self._checkpoints[dock_id] = message.payload[:_LONGEST_NOTE].decode("utf-8", "replace")
                self.version += 1
            case ("dock", dock_id, "bay", name) if message.payload:
                self._apply_bay(dock_id, name, parse_model(Bay, message.payload, what="bay"))
            case ("dock", dock_id, "clip", clip_id):
                self._apply_clip(dock_id, clip_id, message.payload)
            case ("standing", dock_id, clip_id) if message.payload:
                standing = parse_model(Standing, message.payload, what="standing")
                _check_topic(standing.clip_id, clip_id)
                self._clips.put_standing(dock_id, standing, self._generation)
                self.version += 1
            case _:
                pass

    def _apply_status(self, dock_id: str, status: DockStatus) -> None:
        _check_topic(status.dock_id, dock_id)
        self._docks[dock_id] = KnownDock(status, self._generation)
        self._changed()

    def _apply_bay(self, dock_id: str, name: str, bay: Bay) -> None:
        _check_topic(bay.bay, name)
        key = (dock_id, name)
        if key not in self._bays and len(self._bays) >= _MOST_BAYS:
            raise SchemaError(f"more than {_MOST_BAYS} bays")
        rate = self._rates.setdefault(key, Rate())
        rate.saw(self._clock.monotonic(), bay.bytes_done)
        speed = rate.bytes_per_second if bay.state == "reading" else 0.0
        self._bays[key] = KnownBay(dock_id, bay, speed, self._generation)
        self.bays_version += 1

    def _apply_clip(self, dock_id: str, clip_id: str, payload: bytes) -> None:
        if not payload:
            changed = self._clips.drop_disposed(dock_id, clip_id)
        else:
            notice = parse_model(Notice, payload, what="notice", limit=envelopes.LIMIT)
            _check_topic(notice.dock_id, dock_id)
            _check_topic(notice.clip_id, clip_id)
            for kind, plain in ((st.Capture, notice.capture), (st.Activation, notice.activation)):
                if plain is not None:
                    check_model(kind, plain, what="notice")
            changed = self._clips.put_notice(notice, self._generation)
        self.version += changed

    # for the threads that answer browsers

    @property
    def link(self) -> BrokerLink:
        """The board's connection to the broker."""
        return self._link

    def docks(self) -> list[KnownDock]:
        """All docks, by id."""
        with self._lock:
            return [self._docks[name] for name in sorted(self._docks)]

    def checkpoint(self, dock_id: str) -> str | None:
        """The dock's newest checkpoint, a signed note as it was received, or None."""
        with self._lock:
            return self._checkpoints.get(dock_id)

    def bays(self, dock_id: str | None) -> list[KnownBay]:
        """The bays of one dock, or of all docks, by dock and name."""
        with self._lock:
            return [self._bays[key] for key in sorted(self._bays) if dock_id in {None, key[0]}]

    def locked_clips(self, search: str, page: int) -> tuple[list[ShownClip], bool]:
        """One page of locked clips, the newest first, and whether there are more. For `search` see `ClipDatabase.page`.

        `page` counts from 0.
        """
        with self._lock:
            found = self._clips.page("locked", search, PAGE + 1, page * PAGE)
        return found[:PAGE], len(found) > PAGE

    def owed_statements(self) -> list[OwedStatement]:
        """The statements and reports that are missing, those that are due first; at most 100."""
        with self._lock:
            return self._clips.owed_statements(_MOST_OWED)

    def assignment_verdicts(self, since: datetime) -> list[ShownVerdict]:
        """For each assignment dispatched since then, whether the camera was on."""
        with self._lock:
            return self._clips.assignment_verdicts(since)

    def clip(self, dock_id: str, clip_id: str) -> ShownClip | None:
        """One clip of one dock, or None."""
        with self._lock:
            return self._clips.clip(dock_id, clip_id)


def _check_topic(document_id: str, topic_id: str) -> None:
    if document_id != topic_id:
        raise SchemaError(f"is about {document_id}, but came on the topic of {topic_id}")
