"""ReadTurns at the dock's disk: so many large clips at once, the most urgent next, a slower pace at night."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta

import pytest

from daemon.dock.ingest.read_turns import ReadTurns, Urgency
from daemon.model.config import Ingest
from daemon.model.zones import zone_named
from tests.kit.agency import NOW
from tests.kit.patience import PATIENCE
from tests.kit.precinct import wait_until

LONG = 1 << 40


class Fixed:
    """A clock that stands still."""

    def __init__(self, now: datetime = NOW) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return 0.0

    def boot(self) -> float:
        return 0.0

    def boot_id(self) -> str:
        return "boot"


def never() -> bool:
    return False


class TurnTaker:
    """Somebody who takes a turn, and holds it until told."""

    def __init__(self, turns: ReadTurns, urgency: Urgency, stopping: Callable[[], bool] = never) -> None:
        self.reading, self._end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._read, args=(turns, urgency, stopping), daemon=True)
        self._thread.start()

    def _read(self, turns: ReadTurns, urgency: Urgency, stopping: Callable[[], bool]) -> None:
        with turns.turn(urgency, stopping):
            self.reading.set()
            self._end.wait(PATIENCE)

    def end(self) -> None:
        self._end.set()
        self._thread.join(PATIENCE)


def until_waiting(turns: ReadTurns, count: int) -> None:
    """Until so many wait for a turn."""
    wait_until(lambda: turns.waiting == count, f"{count} waiting")


def test_the_most_urgent_is_next() -> None:
    turns = ReadTurns(Ingest(readers=1), Fixed())
    first = TurnTaker(turns, (2, LONG))
    assert first.reading.wait(PATIENCE)
    assert not turns.free((1, LONG))
    patient, urgent = TurnTaker(turns, (2, LONG + 1)), TurnTaker(turns, (1, LONG))
    until_waiting(turns, 2)
    first.end()
    assert urgent.reading.wait(PATIENCE)
    assert not patient.reading.is_set()
    urgent.end()
    assert patient.reading.wait(PATIENCE)
    patient.end()
    assert turns.free((2, LONG))


@pytest.mark.parametrize("urgency", [(0, LONG), (2, 1000)])
def test_a_weapon_or_a_short_clip_never_waits(urgency: Urgency) -> None:
    turns = ReadTurns(Ingest(readers=1), Fixed())
    first = TurnTaker(turns, (2, LONG))
    assert first.reading.wait(PATIENCE)
    assert turns.free(urgency)
    second = TurnTaker(turns, urgency)
    assert second.reading.wait(PATIENCE)
    first.end()
    second.end()


def test_whoever_is_stopping_does_not_wait() -> None:
    turns = ReadTurns(Ingest(readers=1), Fixed())
    first = TurnTaker(turns, (2, LONG))
    assert first.reading.wait(PATIENCE)
    stopped = threading.Event()
    second = TurnTaker(turns, (2, LONG), stopped.is_set)
    until_waiting(turns, 1)
    assert not second.reading.is_set()
    stopped.set()
    assert second.reading.wait(PATIENCE)
    first.end()
    second.end()


@pytest.mark.parametrize(
    ("hour", "start", "end", "expected"),
    [
        (23, 22, 6, 300.0),
        (3, 22, 6, 300.0),
        (6, 22, 6, 500.0),
        (12, 22, 6, 500.0),
        (12, 9, 17, 300.0),
        (8, 9, 17, 500.0),
    ],
)
def test_the_pace_at_night(hour: int, start: int, end: int, expected: float) -> None:
    local = datetime(2026, 1, 5, hour, 30).astimezone()
    settings = Ingest(
        camera_bytes_per_second=500, night_bytes_per_second=600, night_from=time(start), night_to=time(end)
    )
    turns = ReadTurns(settings, Fixed(local.astimezone(UTC)))
    readers = [TurnTaker(turns, (0, LONG)), TurnTaker(turns, (0, LONG))]
    assert all(reader.reading.wait(PATIENCE) for reader in readers)
    assert turns.bytes_per_second() == expected  # two cameras share the night's limit
    for reader in readers:
        reader.end()


def test_night_is_the_agencys_and_not_the_machines() -> None:
    settings = Ingest(night_bytes_per_second=600, night_from=time(22), night_to=time(23))
    at = datetime(2026, 1, 5, 16, 45, tzinfo=UTC)  # 22:30 in Kathmandu
    paces = [ReadTurns(settings, Fixed(at), zone_named(name)).bytes_per_second() for name in ("Asia/Kathmandu", "UTC")]
    assert paces == [600.0, 0.0]


def test_no_limit() -> None:
    assert ReadTurns(Ingest(), Fixed(NOW + timedelta(hours=1))).bytes_per_second() == 0.0
