"""What is known of clips and incidents: what the broker retains and its access list lets the listener hear.

Notices are read one at a time and only what is asked of them is kept, for a city has many. All of it is
hearsay: it helps people to notice a mistake, and decides nothing.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from daemon.link.mqtt import Received
from daemon.link.session import Session
from daemon.model.config import Broker
from daemon.model.documents import Notice
from daemon.model.errors import UnavailableError, VerificationError
from daemon.model.parse import parse_model
from daemon.model.query_results import ListedClip
from daemon.model.times import parse_instant, put_right
from daemon.model.topics import Topics
from daemon.model.types import check_dispatch_id, check_id, is_dispatch_id
from daemon.seal.envelope import LIMIT

HEARING_SECONDS = 60.0
"""How long the broker may take to say all that it retains."""
QUIET, PATIENT = 0.7, 3.0
"""So many seconds after the last message a broker has said all; and one that has much else to do."""
UNKNOWN = "unknown"


@dataclass(frozen=True)
class KnownClip:
    """A clip as its dock's notice tells of it. Times are the camera's; `skew` (seconds) is how far it was ahead.

    Without a capture nobody knows who wore the camera, what triggered it, or when: times are then its intake's.
    """

    clip_id: str
    dock_id: str
    officer_id: str
    incidents: tuple[str, ...]
    started_at: datetime
    triggered_at: datetime
    stopped_at: datetime
    trigger: str
    skew: float
    recorded: bool = True
    """Whether a capture says when."""

    @property
    def began(self) -> datetime:
        """When the recording began: by the dock's clock."""
        return put_right(self.started_at, self.skew)

    @property
    def triggered(self) -> datetime:
        """When it was triggered, after the pre-event buffer: by the dock's clock."""
        return put_right(self.triggered_at, self.skew)

    @property
    def earliest(self) -> datetime:
        """When it may have begun: by the camera's clock or the dock's, whichever is earlier."""
        return min(self.started_at, self.began)


@dataclass
class Known:
    """What was heard. `problems` says, in words, what was not, and so could not be checked."""

    clips: dict[str, KnownClip] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    whole: bool = True

    @functools.cached_property
    def by_incident(self) -> dict[str, list[KnownClip]]:
        """The clips of each incident. Asked once all is heard."""
        found: dict[str, list[KnownClip]] = {}
        for clip in self.clips.values():
            for incident in clip.incidents:
                found.setdefault(incident, []).append(clip)
        return found

    def of_incident(self, incident_id: str) -> list[KnownClip]:
        """The clips of one incident."""
        return self.by_incident.get(incident_id, [])


def hear_known(broker: Broker, topics: Topics, quiet: float = QUIET, seconds: float = HEARING_SECONDS) -> Known:
    """Every clip that docks tell of, heard until nothing comes for `quiet` seconds.

    If the broker refuses that, this is among the `problems`.

    Raises UnavailableError when the broker cannot be reached at all.
    """
    with Session(broker, ()):
        pass
    known = Known()
    try:
        with Session(broker, (topics.clip("+", "+"),)) as session:
            _hear(session, known, quiet, seconds)
    except UnavailableError as error:
        known.problems.append(str(error))
    return known


def hear_dispatched(broker: Broker, topics: Topics, seconds: float = HEARING_SECONDS) -> set[str]:
    """The incidents of dispatch documents that are retained; none where the broker lets this listener hear none."""
    try:
        with Session(broker, (topics.every_cad,)) as session:
            found = (topics.incident_of(message.topic) for message in _arriving(session, QUIET, seconds))
            return {incident for incident in found if incident is not None and is_dispatch_id(incident)}
    except UnavailableError:
        return set()


def read_notices(messages: Iterable[Received], refused: list[str]) -> Iterator[Notice]:
    """The notices among retained messages; what is none goes to `refused`, in words."""
    for message in messages:
        try:
            yield parse_model(Notice, message.payload, what=message.topic, limit=LIMIT)
        except VerificationError as error:
            refused.append(f"left out: {error}")


def known_clip(notice: Notice) -> KnownClip:
    """What a notice says of its clip in plain fields. Raises ValueError for a time or an id that is none."""
    capture, activation = notice.capture or {}, notice.activation or {}
    taken_in = notice.ingested_at or notice.published_at
    times = (capture.get(name, taken_in) for name in ("started_at", "triggered_at", "stopped_at"))
    started, triggered, stopped = (parse_instant(value) for value in times)
    return KnownClip(
        clip_id=notice.clip_id,
        dock_id=notice.dock_id,
        officer_id=check_id(capture.get("officer_id", UNKNOWN)),
        incidents=tuple(dict.fromkeys(_incident(each) for each in activation.get("assignments", []))),
        started_at=started,
        triggered_at=triggered,
        stopped_at=stopped,
        trigger=str(capture.get("trigger_on", UNKNOWN)),
        skew=notice.clock_skew_seconds if notice.capture else 0.0,
        recorded=notice.capture is not None,
    )


def listed_clip(listed: ListedClip) -> KnownClip:
    """What the policy service says of a clip, in the same fields."""
    return KnownClip(
        clip_id=listed.clip_id,
        dock_id=listed.dock_id,
        officer_id=listed.officer_id,
        incidents=listed.standing.incidents,
        started_at=listed.started_at,
        triggered_at=listed.triggered_at,
        stopped_at=listed.stopped_at,
        trigger=listed.trigger,
        skew=listed.clock_skew_seconds,
        recorded=listed.recorded,
    )


def _incident(assignment: Any) -> str:
    return check_dispatch_id(assignment["incident_id"])


def _hear(session: Session, known: Known, quiet: float, seconds: float) -> None:
    end = time.monotonic() + seconds
    for message in _arriving(session, quiet, seconds):
        try:
            _take(message, known)
        except (VerificationError, ValueError, LookupError, AttributeError, TypeError) as error:
            known.problems.append(f"left out: {message.topic}: {error}")
    if time.monotonic() >= end:
        known.whole = False
        known.problems.append(f"the broker retains more than could be heard in {seconds:g} s")


def _take(message: Received, known: Known) -> None:
    if message.payload:
        for notice in read_notices((message,), known.problems):
            if notice.lock.state != "disposed":
                known.clips[notice.clip_id] = known_clip(notice)


def _arriving(session: Session, quiet: float, seconds: float) -> Iterator[Received]:
    """What is retained, one after the other, until none of it came for `quiet` seconds; and what is said meanwhile."""
    now = time.monotonic()
    end, enough = now + seconds, now + quiet
    while (now := time.monotonic()) < end:
        message = session.wait(lambda _: True, max(enough - now, 0.05))
        if message is None:
            return
        yield message
        if message.retained:
            enough = time.monotonic() + quiet
