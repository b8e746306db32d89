"""A bay's thread: what ends it, what does not, and what it tells of a camera that it leaves alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from daemon.dock.camera.messages import ReaderLimits, Scanned
from daemon.dock.camera.reader import CameraUnusableError, ReaderGoneError
from daemon.dock.ingest.bay import BayThread
from daemon.model.documents import Bay
from daemon.model.errors import CameraReadError, NotDurableError, TamperedError
from daemon.model.times import format_instant
from daemon.seal.trust import parse_trust
from tests.kit import agency
from tests.kit.agency import CLIP, NOW, OTHER_CLIP
from tests.kit.dock_fixture import House, open_house
from tests.kit.inline_dock import AtOnce, InlineReader
from tests.kit.patience import PATIENCE


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path, scan_seconds=0.02) as made:
        made.acknowledge()
        made.record(CLIP, b"footage")
        yield made


class Scripted(InlineReader):
    """A reader whose scans go as `scan` says; what was begun, killed and closed is counted."""

    def __init__(self, mount: Path, scan: Callable[[Scripted], Scanned], number: int = 1) -> None:
        super().__init__(mount)
        self.number = number
        self._as_told = scan
        self.killed = threading.Event()
        self.closed = False
        self.asked_for_captures = False

    def scan(self) -> Scanned:
        return self._as_told(self)

    def really(self) -> Scanned:
        return super().scan()

    def captures(self, stems: Sequence[str]) -> dict[str, bytes | CameraReadError]:
        self.asked_for_captures = True
        return super().captures(stems)

    def kill(self) -> None:
        self.killed.set()

    def close(self) -> None:
        self.closed = True
        super().close()


class Started:
    """A bay whose thread runs, each of its readers as the script says."""

    def __init__(self, house: House, scan: Callable[[Scripted], Scanned]) -> None:
        self.readers: list[Scripted] = []
        self.shown: list[tuple[str, str | None]] = []

        def opened(mount: Path, _limits: ReaderLimits, _hang_seconds: float) -> Scripted:
            self.readers.append(Scripted(mount, scan, len(self.readers) + 1))
            return self.readers[-1]

        service = house.service
        self.thread = BayThread(service.ledger, house.docked, service.read_turns, open_reader=opened, helper=AtOnce())
        self._seen = threading.Condition()
        show = service.ledger.show

        def noted(identity: str, bay: Bay) -> None:
            show(identity, bay)
            with self._seen:
                self.shown.append((bay.state, bay.reason))
                self._seen.notify_all()

        service.ledger.show = noted  # type: ignore[method-assign]
        self.thread.start()

    def until(self, state: str) -> str | None:
        """Waits until the bay has shown this state; its reason then."""
        with self._seen:
            assert self._seen.wait_for(lambda: state in [shown for shown, _ in self.shown], PATIENCE), self.shown
            return next(reason for shown, reason in self.shown if shown == state)

    @property
    def ended(self) -> bool:
        self.thread.join(PATIENCE)
        return all(reader.closed for reader in self.readers)


def test_a_reader_that_ends_is_followed_by_another(house: House) -> None:
    def scan(reader: Scripted) -> Scanned:
        if reader.number == 1:
            raise ReaderGoneError("killed")
        return reader.really()

    bay = Started(house, scan)
    bay.until("done")
    bay.thread.stop()
    assert bay.ended
    assert bay.shown[0] == ("failed", "killed")
    assert len(bay.readers) == 2
    assert house.service.failure is None
    assert house.dock.store.clip(CLIP) is not None


def test_a_camera_that_does_not_answer_is_not_tried_again_until_docked_anew(house: House) -> None:
    def scan(_: Scripted) -> Scanned:
        raise CameraUnusableError("hangs")

    bay = Started(house, scan)
    assert bay.ended
    assert (bay.shown, len(bay.readers)) == ([("failed", "hangs")], 1)
    assert house.service.failure is None, "the others go on"


@pytest.mark.parametrize("error", [NotDurableError("unknown"), TamperedError("changed")])
def test_a_medium_that_cannot_be_relied_on_stops_the_dock(house: House, error: Exception) -> None:
    def scan(_: Scripted) -> Scanned:
        raise error

    assert Started(house, scan).ended
    assert house.service.failure is error


def test_an_error_nobody_foresaw_fails_its_own_bay(house: House) -> None:
    def scan(_: Scripted) -> Scanned:
        raise ZeroDivisionError

    bay = Started(house, scan)
    assert bay.ended
    assert [state for state, _ in bay.shown] == ["failed"]
    assert house.service.failure is None


def test_a_scan_that_fails_once_is_tried_again_by_the_same_reader(house: House) -> None:
    scans = []

    def scan(reader: Scripted) -> Scanned:
        scans.append(reader)
        if len(scans) == 1:
            raise CameraReadError("busy")
        return reader.really()

    bay = Started(house, scan)
    bay.until("done")
    bay.thread.stop()
    assert bay.ended
    assert bay.shown[0] == ("failed", "busy")
    assert len(bay.readers) == 1


def test_stopping_kills_a_reader_that_hangs_and_says_nothing_of_it(house: House) -> None:
    hanging = threading.Event()

    def scan(reader: Scripted) -> Scanned:
        hanging.set()
        assert reader.killed.wait(PATIENCE)
        raise ReaderGoneError("killed")

    bay = Started(house, scan)
    assert hanging.wait(PATIENCE)
    bay.thread.stop()
    assert bay.ended
    assert bay.shown == [], "undocked is no failure"


def test_waking_it_has_it_look_at_once(tmp_path: Path) -> None:
    with open_house(tmp_path, scan_seconds=PATIENCE * 10) as house:
        looked: list[threading.Event] = [threading.Event(), threading.Event()]
        count = iter(looked)

        def scan(reader: Scripted) -> Scanned:
            next(count).set()
            return reader.really()

        bay = Started(house, scan)
        assert looked[0].wait(PATIENCE)
        bay.until("done")
        bay.thread.wake()
        assert looked[1].wait(PATIENCE)
        bay.thread.stop()
        assert bay.ended


@pytest.mark.parametrize("camera", [{"serial": "cam-9"}, {"schema": "bwc.camera/9"}, {"serial": 7}])
def test_a_camera_that_is_not_ours_or_does_not_say_who_it_is_is_left_untouched(
    house: House, camera: dict[str, object]
) -> None:
    house.mount.introduce(**camera)
    bay, reader = house.bay(), Scripted(house.mount.path, Scripted.really)
    for _ in range(3):
        assert bay.state_after(reader) == "refused"
    reader.close()
    assert not reader.asked_for_captures
    [refused] = house.custody("refused")
    assert refused["detail"]["what"] == "camera"
    assert house.dock.store.clips() == [] and house.dock.store.staged() == []
    assert house.custody("docked") == []
    assert not (house.mount.path / "receipts").exists()


def test_docked_again_between_two_looks_is_another_docking(house: House) -> None:
    bay, reader = house.bay(), InlineReader(house.mount.path)
    bay.state_after(reader)
    house.record(OTHER_CLIP, b"recorded since")
    house.mount.introduce(docked_at=format_instant(NOW.replace(hour=23)))
    for _ in range(3):
        bay.state_after(reader)
    reader.close()
    assert len(house.custody("docked")) == 2
    assert {clip.clip_id for clip in house.dock.store.clips()} == {CLIP, OTHER_CLIP}


def test_an_enrolment_that_is_taken_back_ends_what_is_read(house: House) -> None:
    bay, reader = house.bay(), InlineReader(house.mount.path)
    bay.state_after(reader)
    house.record(OTHER_CLIP, b"recorded since")
    fewer = agency.trust_bytes(version=2, cameras={"cam-2": agency.sign_pem("cam-2")})
    house.dock.trust.replace(parse_trust(fewer, agency.sign_key("root").public_key(), what="trust"))
    assert bay.state_after(reader) == "refused"
    reader.close()
    assert [clip.clip_id for clip in house.dock.store.clips()] == [CLIP]
