"""A clip's way when its camera's reader dies under it: it is taken in by the next one, under its own id."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, TypeVar

import pytest

from daemon.dock.camera.handle import Batch, ReaderGoneError
from daemon.dock.camera.mounts import Docked
from daemon.dock.ingest import camera_clips, staging
from daemon.dock.service import away_seconds
from daemon.model.errors import CameraReadError, NotDurableError
from daemon.model.times import format_instant
from tests.kit.agency import CLIP, OTHER_CLIP
from tests.kit.dock_fixture import LIMITS, House, open_house
from tests.kit.inline_dock import InlineBay, InlineHandle

T = TypeVar("T")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as made:
        made.acknowledge()
        made.record(CLIP, b"footage")
        made.record(OTHER_CLIP, bytes(2 << 20))
        yield made


class Dying(InlineHandle):
    """A reader that ends at its Nth call of one kind."""

    def __init__(self, mount: Path, call: str, number: int) -> None:
        super().__init__(mount, LIMITS)
        self._call, self._left = call, number

    def _count(self, call: str) -> None:
        self._left -= call == self._call
        if call == self._call and self._left == 0:
            raise ReaderGoneError("killed")

    def begin(self, *given: Any) -> Batch:
        self._count("begin")
        return super().begin(*given)

    def written(self, batch: Batch) -> None:
        self._count("written")
        super().written(batch)

    def results(self, batch: Batch) -> list[Any]:
        self._count("results")
        return super().results(batch)

    def begin_receipts(self, receipts: dict[str, bytes]) -> int:
        self._count("begin_receipts")
        return super().begin_receipts(receipts)

    def receipts(self, number: int) -> dict[str, Exception]:
        self._count("receipts")
        return super().receipts(number)


class Listening(InlineHandle):
    """Notes whose captures are asked for."""

    def __init__(self, mount: Path) -> None:
        super().__init__(mount, LIMITS)
        self.asked: list[str] = []

    def captures(self, stems: list[str]) -> dict[str, bytes | CameraReadError]:
        self.asked += stems
        return super().captures(stems)


def test_captures_are_read_once_their_clips_are_still(tmp_path: Path) -> None:
    with open_house(tmp_path, settle_seconds=0.05) as house:
        house.acknowledge()
        house.record(CLIP, b"footage")
        docked = Docked("bay-1", house.mount.path, "1")
        bay, handle = InlineBay(house.dock, house.service, docked, house.service._turns), Listening(house.mount.path)
        assert bay.look(handle) == "waiting"
        assert handle.asked == []
        time.sleep(0.06)  # as the bay's thread does
        assert bay.look(handle) == "done"
        assert handle.asked == [CLIP]
        handle.close()


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("call", ["begin", "written", "results", "begin_receipts", "receipts"])
def test_a_reader_that_dies(house: House, call: str, number: int) -> None:
    bay = InlineBay(house.dock, house.service, Docked("bay-1", house.mount.path, "1"), house.service._turns)
    handle = Dying(house.mount.path, call, number)
    with pytest.raises(ReaderGoneError):
        for _ in range(3):
            bay._look(handle)
    handle.close()
    assert house.dock.store.staged() == []
    assert list(house.dock.vault.incoming.iterdir()) == []
    again = InlineHandle(house.mount.path, LIMITS)
    assert [bay.look(again) for _ in range(3)][-1] == "done"
    again.close()
    assert {clip.clip_id for clip in house.dock.store.clips()} == {CLIP, OTHER_CLIP}


def test_a_dock_that_stops_reads_no_more_captures(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    class Asked(InlineHandle):
        def captures(self, stems: list[str]) -> dict[str, bytes | CameraReadError]:
            asked.append(stems)
            return super().captures(stems)

    monkeypatch.setattr(camera_clips, "_WINDOW", 1)
    bay = InlineBay(house.dock, house.service, Docked("bay-1", house.mount.path, "1"), house.service._turns)
    bay._stopping.set()
    handle = Asked(house.mount.path, LIMITS)
    bay._look(handle)
    handle.close()
    assert asked == []


class Late(Executor):
    """Does what it is given when somebody waits for it."""

    def submit(self, work: Callable[..., T], /, *given: Any, **named: Any) -> Future[T]:
        class Later(Future[T]):
            def result(self, timeout: float | None = None) -> T:
                return work(*given, **named)

        return Later()


def test_what_was_sealed_before_the_reader_died_is_taken_in(house: House) -> None:
    bay = InlineBay(house.dock, house.service, Docked("bay-1", house.mount.path, "1"), house.service._turns)
    bay._helper = Late()
    handle = Dying(house.mount.path, "written", 2)
    with pytest.raises(ReaderGoneError):
        for _ in range(3):
            bay._look(handle)
    handle.close()
    assert [clip.clip_id for clip in house.dock.store.clips()] == [CLIP]
    assert house.dock.store.staged() == []


def test_an_unknown_outcome_stops_the_dock_though_the_bay_waits_for_its_camera(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[BaseException | None] = []

    class Waiting(InlineHandle):
        def written(self, batch: Batch) -> None:
            found.append(house.service._failure)

    def fail(*_: Any) -> None:
        raise NotDurableError("nobody knows")

    monkeypatch.setattr(staging, "settle", fail)
    bay = InlineBay(house.dock, house.service, Docked("bay-1", house.mount.path, "1"), house.service._turns)
    handle = Waiting(house.mount.path, LIMITS)
    with pytest.raises(NotDurableError):
        for _ in range(3):
            bay._look(handle)
    handle.close()
    assert found[0] is None
    assert isinstance(found[1], NotDurableError), "the second batch is waited for when the first has failed"


@pytest.mark.parametrize(("unseen", "skew"), [(0.0, -600.0), (650.0, 0.0), (500.0, -100.0)])
def test_a_camera_that_stood_there_while_the_dock_was_down_is_not_taken_for_late(
    house: House, unseen: float, skew: float
) -> None:
    house.clock.turn(seconds=600)
    docked = Docked("bay-1", house.mount.path, "1")
    bay = InlineBay(house.dock, house.service, docked, house.service._turns, unseen)
    handle = InlineHandle(house.mount.path, LIMITS)
    assert [bay.look(handle) for _ in range(3)][-1] == "done"
    handle.close()
    [entry] = house.custody("docked")
    assert entry["detail"]["clock_skew_seconds"] == skew
    assert entry["detail"].get("unseen_seconds", 0.0) == unseen
    assert {clip.skew for clip in house.dock.store.clips()} == {skew}


def test_how_long_nobody_looked_is_known_from_the_time_last_persisted(house: House) -> None:
    with house.dock.store.transaction():
        house.dock.store.set("latest", format_instant(house.clock.now()))
    house.clock.turn(seconds=90)
    assert away_seconds(house.dock) == 90
