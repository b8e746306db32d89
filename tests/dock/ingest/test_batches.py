"""A batch's life: what fails costs its own clip, what is unknown stops the dock, and no receipt comes too early."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from daemon.core.settle import Sighting
from daemon.dock.camera.messages import SealRequest, SealResult
from daemon.dock.camera.reader import ReaderGoneError, SealBatch
from daemon.dock.ingest import staging
from daemon.dock.ingest.batches import BatchIngest
from daemon.dock.ingest.bay_progress import BayProgress
from daemon.dock.ingest.docking import DockedClip, Docking
from daemon.dock.ingest.jobs import CameraSeen
from daemon.model.errors import BwcError, CameraReadError, NotDurableError, TamperedError, UnavailableError
from daemon.vault.space import DiskFullError, free_bytes
from tests.kit.agency import CLIP, OTHER_CLIP
from tests.kit.dock_fixture import House, open_house
from tests.kit.inline_dock import AtOnce, InlineReader

THIRD = "00000000-0000-4000-8000-000000000003"


class Reader(InlineReader):
    """A camera on which single clips cannot be sealed, and single receipts cannot be written."""

    def __init__(self, mount: Path) -> None:
        super().__init__(mount)
        self.unreadable: dict[str, BwcError] = {}
        self.unwritable: dict[str, BwcError] = {}
        self.asked: list[list[str]] = []
        self.before_receipts: Callable[[], None] = lambda: None

    def begin(self, requests: Sequence[SealRequest], progress: Callable[[int], None]) -> SealBatch:
        self.asked.append([request.stem for request in requests])
        return super().begin(requests, progress)

    def await_results(self, batch: SealBatch) -> list[SealResult | BwcError]:
        found = zip(self.asked[batch.number - 1], super().await_results(batch), strict=True)
        return [self.unreadable.get(stem, result) for stem, result in found]

    def await_receipts(self, number: int) -> dict[str, BwcError]:
        self.before_receipts()
        return super().await_receipts(number) | self.unwritable


class Bay:
    """A camera with clips, and its batches."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.reader = Reader(house.mount.path)
        self.progress = BayProgress("bay-1", lambda _: None)
        self.docking = Docking("bay-1", CameraSeen("cam-1", "officer", 0.0), self.progress)
        self.batches = self.reopened()

    def reopened(self) -> BatchIngest:
        return BatchIngest(
            self.house.service.ledger, self.docking, self.reader, self.house.service.read_turns, AtOnce()
        )

    def clips(self, *stems: str) -> list[DockedClip]:
        """These clips of the camera, settled, their captures read."""
        on_camera = {found.stem: found for found in self.reader.scan().clips}
        captures = self.reader.captures(stems)
        made = []
        for stem in stems:
            seen = Sighting(on_camera[stem].footage, on_camera[stem].capture, 0.0)
            data = captures[stem]
            assert isinstance(data, bytes)
            read = self.house.service.ledger.read_capture(data, self.docking.camera, stem)
            made.append(DockedClip(stem, seen, seen, read))
        return made

    def take_in(self, *stems: str) -> list[DockedClip]:
        clips = self.clips(*stems)
        self.batches.add(clips)
        self.batches.finish()
        return clips

    @property
    def held(self) -> set[str]:
        return {clip.clip_id for clip in self.house.dock.store.clips()}

    @property
    def receipts(self) -> set[str]:
        folder = self.house.mount.path / "receipts"
        return {path.name.split(".")[0] for path in folder.iterdir()} if folder.exists() else set()

    def nothing_is_left_over(self) -> bool:
        dock = self.house.dock
        return dock.store.staged() == [] and list(dock.vault.incoming.iterdir()) == []


def opened(root: Path, **ingest: Any) -> Iterator[Bay]:
    with open_house(root, **ingest) as house:
        house.acknowledge()
        for number, stem in enumerate((CLIP, OTHER_CLIP, THIRD)):
            house.record(stem, b"footage %d" % number)
        bay = Bay(house)
        yield bay
        bay.reader.close()


@pytest.fixture
def bay(tmp_path: Path) -> Iterator[Bay]:
    yield from opened(tmp_path)


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Bay]:
    """A dock that never lets a camera erase."""
    yield from opened(tmp_path, erase="never")


def test_a_batch_is_taken_in_and_receipted(bay: Bay) -> None:
    clips = bay.take_in(CLIP, OTHER_CLIP)
    assert bay.held == bay.receipts == {CLIP, OTHER_CLIP}
    assert all(clip.done and clip.receipted and clip.problem is None for clip in clips)
    assert all(bay.house.evidence(name) for name in bay.held)
    assert bay.nothing_is_left_over()


def test_a_receipt_is_recorded_only_once_it_is_durable_on_the_camera(bay: Bay) -> None:
    seen: list[int] = []
    bay.reader.before_receipts = lambda: seen.append(len(bay.house.custody("receipted")))
    bay.take_in(CLIP)
    assert (seen, len(bay.house.custody("receipted"))) == ([0], 1)


def test_a_receipt_that_cannot_be_written_is_not_recorded_and_tried_again(bay: Bay) -> None:
    bay.reader.unwritable = {CLIP: UnavailableError("read-only")}
    clip, other = bay.take_in(CLIP, OTHER_CLIP)
    assert [one.stem for one in (clip, other) if one.receipted or one.done] == [OTHER_CLIP]
    assert clip.problem is not None and clip.retry_at > time.monotonic()
    assert [entry["clip_id"] for entry in bay.house.custody("receipted")] == [OTHER_CLIP]
    bay.reader.unwritable = {}
    bay.batches.deliver([clip])
    assert {one.stem for one in (clip, other) if one.receipted and one.done} == {CLIP, OTHER_CLIP}
    assert len(bay.house.custody("receipted")) == 2


@pytest.mark.parametrize("error", [CameraReadError("torn"), UnavailableError("no"), DiskFullError("full")])
def test_a_clip_that_cannot_be_read_costs_no_other(bay: Bay, error: BwcError) -> None:
    bay.reader.unreadable = {OTHER_CLIP: error}
    first, bad, third = bay.take_in(CLIP, OTHER_CLIP, THIRD)
    assert bay.held == bay.receipts == {CLIP, THIRD}
    assert first.done and third.done
    assert (bad.clip_id, bad.done) == (None, False)
    assert bad.problem is not None and bad.retry_at > time.monotonic()
    assert bay.nothing_is_left_over(), "nothing of the attempt is kept: it had its own key"
    bay.reader.unreadable = {}
    assert bay.take_in(OTHER_CLIP)[0].done


@pytest.mark.parametrize("error", [NotDurableError("nobody knows"), TamperedError("not what was written")])
def test_a_medium_that_cannot_be_relied_on_takes_in_nothing(bay: Bay, error: BwcError) -> None:
    bay.reader.unreadable = {CLIP: error}
    with pytest.raises(type(error)):
        bay.take_in(CLIP, OTHER_CLIP)
    assert bay.held == bay.receipts == set()


def test_a_clip_without_room_waits_and_says_how_much_it_needs(bay: Bay, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve = staging.reserve

    def small(vault: Any, clip_id: str, size: int, spare: int) -> Path:
        return reserve(vault, clip_id, size, free_bytes(vault.root) + (1 << 40) if clip_id == OTHER_CLIP else spare)

    monkeypatch.setattr(staging, "reserve", small)
    _, waiting = bay.take_in(CLIP, OTHER_CLIP)
    assert (bay.held, bay.reader.asked) == ({CLIP}, [[CLIP]])
    assert waiting.problem is not None and waiting.clip_id is None
    assert bay.house.service.state.room_wanted > len(b"footage 1")
    assert bay.house.dock.replica_work.is_set(), "whoever may make room hears of it"
    assert bay.nothing_is_left_over()


def test_a_disk_that_is_full_after_sealing_keeps_the_batch_on_its_camera(
    bay: Bay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise DiskFullError("full")

    with monkeypatch.context() as while_full:
        while_full.setattr(staging, "move_into_place", full)
        clips = bay.take_in(CLIP, OTHER_CLIP)
    assert all(clip.problem and clip.clip_id is None for clip in clips)
    assert bay.held == bay.receipts == set()
    assert bay.nothing_is_left_over()
    assert bay.house.service.failure is None, "it is a state, no failure"
    bay.take_in(CLIP, OTHER_CLIP)
    assert bay.held == {CLIP, OTHER_CLIP}


@pytest.mark.parametrize("error", [UnavailableError("odd"), NotDurableError("unknown")])
def test_a_commit_that_fails_after_the_move_stops_the_dock(
    bay: Bay, monkeypatch: pytest.MonkeyPatch, error: BwcError
) -> None:
    """The clips lie in their places: only a restart can tell what is true, and finishes them."""

    def fail(*_: Any) -> None:
        raise error

    ledger = bay.house.service.ledger
    with monkeypatch.context() as failing:
        failing.setattr(ledger, "commit", fail)
        with pytest.raises(NotDurableError):
            bay.take_in(CLIP)
    assert isinstance(bay.house.service.failure, NotDurableError)
    assert bay.receipts == set()
    assert bay.house.dock.vault.find(CLIP) is not None
    bay.house.service.recover()
    assert bay.held == {CLIP}
    assert bay.house.evidence(CLIP)


def test_what_the_dock_holds_already_is_not_read_again(bay: Bay) -> None:
    bay.take_in(CLIP)
    bay.batches = bay.reopened()
    again, other = bay.take_in(CLIP, OTHER_CLIP)
    assert bay.reader.asked == [[CLIP], [OTHER_CLIP]]
    assert (again.clip_id, again.read_here, other.read_here) == (CLIP, False, True)


def test_a_batch_of_nothing_new_asks_the_reader_for_nothing(bay: Bay) -> None:
    bay.take_in(CLIP)
    bay.take_in(CLIP)
    assert bay.reader.asked == [[CLIP]]


def test_without_erasing_no_receipt_is_written_and_the_clip_is_done(keeping: Bay) -> None:
    [clip] = keeping.take_in(CLIP)
    assert (clip.done, clip.receipted, keeping.receipts) == (True, False, set())
    assert keeping.house.custody("receipted") == []


def test_a_receipt_that_is_held_back_says_why(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:  # no acknowledgement yet
        house.record(CLIP, b"footage")
        bay = Bay(house)
        [clip] = bay.take_in(CLIP)
        assert (clip.clip_id, clip.done, clip.receipted) == (CLIP, False, False)
        assert clip.problem
        house.acknowledge()
        bay.batches.deliver([clip])
        assert clip.done and bay.receipts == {CLIP}
        bay.reader.close()


def test_a_reader_that_goes_before_it_begins_leaves_no_trace(bay: Bay, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any) -> SealBatch:
        raise ReaderGoneError("unplugged")

    with monkeypatch.context() as unplugged:
        unplugged.setattr(bay.reader, "begin", gone)
        with pytest.raises(ReaderGoneError):
            bay.batches.add(bay.clips(CLIP))
    bay.batches.give_up()
    assert bay.nothing_is_left_over()
    assert bay.held == set()


def test_giving_up_drops_what_was_being_read_and_keeps_what_was_sealed(bay: Bay) -> None:
    bay.batches.add(bay.clips(CLIP))
    bay.batches.add(bay.clips(OTHER_CLIP))  # the first is sealed, and committed by the helper
    bay.batches.give_up()
    assert bay.held == {CLIP}
    assert bay.receipts == set(), "there is no reader to write them; they are given when it is docked again"
    assert bay.nothing_is_left_over()


def test_two_names_of_the_same_bytes_are_two_clips(bay: Bay) -> None:
    """A name is what a camera and an officer know a clip by; and neither is held for the other."""
    bay.house.record(THIRD, b"footage 0")
    bay.take_in(CLIP, THIRD)
    assert bay.held == {CLIP, THIRD}


def test_statements_are_about_the_clip_beside_which_they_lie(bay: Bay) -> None:
    """Also where one of the batch turns out, once read, to be held already."""
    bay.take_in(OTHER_CLIP)
    clips = bay.house.mount.path / "clips"
    os.utime(clips / f"{OTHER_CLIP}.mp4", (1, 1))  # not the same file any more, and no capture says whose bytes it has
    (clips / f"{OTHER_CLIP}.capture.json").write_bytes(b"{}")
    bay.batches = bay.reopened()
    taken = bay.take_in(CLIP, OTHER_CLIP, THIRD)
    assert [clip.clip_id for clip in taken] == [CLIP, OTHER_CLIP, THIRD]
    assert bay.held == {CLIP, OTHER_CLIP, THIRD}
    for name in bay.held:
        assert bay.house.evidence(name).seal.statement.clip_id == name
    assert bay.nothing_is_left_over()
