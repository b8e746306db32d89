"""A clip's way when its camera's reader dies under it: it is taken in by the next one, under its own id."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, TypeVar

import pytest

from daemon.dock.camera.reader import ReaderGoneError, SealBatch
from daemon.dock.ingest import staging
from daemon.model.errors import BwcError, CameraReadError, NotDurableError
from tests.kit.agency import CLIP, OTHER_CLIP
from tests.kit.dock_fixture import House, open_house
from tests.kit.inline_dock import InlineReader

T = TypeVar("T")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as made:
        made.acknowledge()
        made.record(CLIP, b"footage")
        made.record(OTHER_CLIP, bytes(2 << 20))
        yield made


class Dying(InlineReader):
    """A reader that ends at its Nth call of one kind."""

    def __init__(self, mount: Path, call: str, number: int) -> None:
        super().__init__(mount)
        self._call, self._left = call, number

    def _count(self, call: str) -> None:
        self._left -= call == self._call
        if call == self._call and self._left == 0:
            raise ReaderGoneError("killed")

    def begin(self, *given: Any) -> SealBatch:
        self._count("begin")
        return super().begin(*given)

    def await_written(self, batch: SealBatch) -> None:
        self._count("written")
        super().await_written(batch)

    def await_results(self, batch: SealBatch) -> list[Any]:
        self._count("results")
        return super().await_results(batch)

    def begin_receipts(self, receipts: Mapping[str, bytes]) -> int:
        self._count("begin_receipts")
        return super().begin_receipts(receipts)

    def await_receipts(self, number: int) -> dict[str, BwcError]:
        self._count("receipts")
        return super().await_receipts(number)


class Listening(InlineReader):
    """Notes whose captures are asked for."""

    def __init__(self, mount: Path) -> None:
        super().__init__(mount)
        self.asked: list[str] = []

    def captures(self, stems: Sequence[str]) -> dict[str, bytes | CameraReadError]:
        self.asked += stems
        return super().captures(stems)


def test_captures_are_read_once_their_clips_are_still(tmp_path: Path) -> None:
    with open_house(tmp_path, settle_seconds=0.05) as house:
        house.acknowledge()
        house.record(CLIP, b"footage")
        bay, handle = house.bay(), Listening(house.mount.path)
        assert bay.state_after(handle) == "waiting"
        assert handle.asked == []
        time.sleep(0.06)  # as the bay's thread does
        assert bay.state_after(handle) == "done"
        assert handle.asked == [CLIP]
        handle.close()


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("call", ["begin", "written", "results", "begin_receipts", "receipts"])
def test_a_reader_that_dies(house: House, call: str, number: int) -> None:
    bay = house.bay()
    handle = Dying(house.mount.path, call, number)
    with pytest.raises(ReaderGoneError):
        for _ in range(3):
            bay.look(handle)
    handle.close()
    assert house.dock.store.staged() == []
    assert list(house.dock.vault.incoming.iterdir()) == []
    again = InlineReader(house.mount.path)
    assert [bay.state_after(again) for _ in range(3)][-1] == "done"
    again.close()
    assert {clip.clip_id for clip in house.dock.store.clips()} == {CLIP, OTHER_CLIP}


def test_a_dock_that_stops_reads_no_more_captures(house: House) -> None:
    asked: list[Sequence[str]] = []

    class Asked(InlineReader):
        def captures(self, stems: Sequence[str]) -> dict[str, bytes | CameraReadError]:
            asked.append(stems)
            return super().captures(stems)

    bay = house.bay(window=1)
    bay.stop()
    handle = Asked(house.mount.path)
    bay.look(handle)
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
    bay = house.bay(helper=Late())
    handle = Dying(house.mount.path, "written", 2)
    with pytest.raises(ReaderGoneError):
        for _ in range(3):
            bay.look(handle)
    handle.close()
    assert [clip.clip_id for clip in house.dock.store.clips()] == [CLIP]
    assert house.dock.store.staged() == []


def test_an_unknown_outcome_stops_the_dock_though_the_bay_waits_for_its_camera(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[BaseException | None] = []

    class Waiting(InlineReader):
        def await_written(self, batch: SealBatch) -> None:
            found.append(house.service.failure)

    def fail(*_: Any) -> None:
        raise NotDurableError("nobody knows")

    monkeypatch.setattr(staging, "move_into_place", fail)
    bay = house.bay()
    handle = Waiting(house.mount.path)
    with pytest.raises(NotDurableError):
        for _ in range(3):
            bay.look(handle)
    handle.close()
    assert found[0] is None
    assert isinstance(found[1], NotDurableError), "the second batch is waited for when the first has failed"


@pytest.mark.parametrize(("unseen", "skew"), [(0.0, -600.0), (650.0, 0.0), (500.0, -100.0)])
def test_a_camera_that_stood_there_while_the_dock_was_down_is_not_taken_for_late(
    house: House, unseen: float, skew: float
) -> None:
    house.clock.turn(seconds=600)
    bay = house.bay(unseen=unseen)
    handle = InlineReader(house.mount.path)
    assert [bay.state_after(handle) for _ in range(3)][-1] == "done"
    handle.close()
    [entry] = house.custody("docked")
    assert entry["detail"]["clock_skew_seconds"] == skew
    assert entry["detail"].get("unseen_seconds", 0.0) == unseen
    assert {clip.skew for clip in house.dock.store.clips()} == {skew}
