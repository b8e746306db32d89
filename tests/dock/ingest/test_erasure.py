"""Who deletes a clip from its camera, and that it is never gone from there before the vault surely has it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.core.settle import FileStat
from daemon.custody.log import NewEntry
from daemon.dock.camera import eraser
from daemon.dock.camera.handle import ReaderHandle
from daemon.dock.camera.messages import EraseRequest
from daemon.dock.camera.reader import ReaderGoneError
from daemon.dock.context import Transaction
from daemon.model.custody_actions import CustodyAction
from daemon.model.errors import BwcError, CameraReadError, UnavailableError
from daemon.model.statements import Receipt
from daemon.model.times import format_instant
from daemon.seal import envelope as envelopes
from daemon.vault.layout import VaultLayout
from tests.kit.agency import CLIP, OTHER_CLIP, signed, statement
from tests.kit.camera import Mount
from tests.kit.dock_fixture import House, open_house
from tests.kit.inline_dock import LIMITS, InlineReader
from tests.kit.mounting import tmpfs

FOOTAGE = b"footage" * 1000


@contextlib.contextmanager
def docked(root: Path, erase: str = "dock", **ingest: Any) -> Iterator[House]:
    """A dock that erases, a camera that is a filesystem of its own, one clip on it."""
    (root / "mounts").mkdir(parents=True)
    with tmpfs(root / "mounts" / "bay-1", "8m"), open_house(root, erase=erase, **ingest) as house:
        house.acknowledge()
        house.record(CLIP, FOOTAGE)
        yield house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with docked(tmp_path) as made:
        yield made


def on_camera(house: House) -> list[str]:
    return sorted(path.name for path in (house.mount.path / "clips").iterdir())


def receipts(house: House) -> list[str]:
    folder = house.mount.path / "receipts"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_the_dock_deletes_clip_and_capture_and_leaves_the_receipt(house: House) -> None:
    (house.mount.path / "clips" / "notes.txt").write_text("not the dock's")
    assert house.look(4) == "done"
    assert on_camera(house) == ["notes.txt"]
    assert receipts(house) == [f"{CLIP}.receipt.json"]
    assert house.evidence(CLIP)
    [erased] = house.custody("erased")
    assert erased["detail"] == {"bay": "bay-1", "camera_serial": "cam-1", "by": "dock"}
    assert [entry["sequence"] for entry in house.custody("receipted")] < [erased["sequence"]]
    assert house.look(2) == "done"
    assert len(house.custody("erased")) == 1


def test_a_camera_that_erases_itself_is_named(tmp_path: Path) -> None:
    with docked(tmp_path, "receipt") as house:
        assert house.look(4) == "done"
        assert on_camera(house) == [f"{CLIP}.capture.json", f"{CLIP}.mp4"]
        for path in (house.mount.path / "clips").iterdir():
            path.unlink()
        house.look()
        assert [entry["detail"]["by"] for entry in house.custody("erased")] == ["camera"]


def test_where_nothing_may_be_erased_no_receipt_says_otherwise(tmp_path: Path) -> None:
    with docked(tmp_path, "never") as house:
        assert house.look(4) == "done"
        assert standing(house)[1] == "kept on the camera: this dock lets nothing be erased"
        assert receipts(house) == []
        assert on_camera(house) == [f"{CLIP}.capture.json", f"{CLIP}.mp4"]
        assert house.evidence(CLIP)
        assert house.custody("receipted") == []
        assert house.look(2) == "done"
        assert len(house.custody("ingested")) == 1


def test_not_before_its_time_and_docking_again_does_not_put_it_off(tmp_path: Path) -> None:
    with docked(tmp_path, erase_after_seconds=3600) as house:
        assert house.look(4) == "done"
        assert standing(house) == ("done", "safe to undock; clips still to be erased when their time comes: 1")
        house.clock.turn(seconds=3500)
        assert house.look(4) == "done"
        data = (house.mount.path / "receipts" / f"{CLIP}.receipt.json").read_bytes()
        first = house.custody("receipted")[0]["at"]
        after = envelopes.parse(data, what="receipt").statement(Receipt).erase_after
        assert format_instant(after - timedelta(seconds=3600)) == first
        assert len(on_camera(house)) == 2
        house.clock.turn(seconds=101)
        assert house.look(4) == "done"
        assert on_camera(house) == []


def test_a_clock_that_went_back_erases_nothing(tmp_path: Path) -> None:
    with docked(tmp_path, erase_after_seconds=60) as house:
        house.look(4)
        house.clock.turn(seconds=120)
        house.service.run_in_transaction(lambda _: None)  # persists the time
        house.clock.turn(seconds=-30)
        assert house.look(4) == "waiting"
        assert len(on_camera(house)) == 2


@pytest.mark.parametrize("what", ["no proof", "quarantine", "no custody"])
def test_what_has_no_receipt_is_not_deleted(tmp_path: Path, what: str) -> None:
    (tmp_path / "mounts").mkdir()
    with tmpfs(tmp_path / "mounts" / "bay-1", "8m"), open_house(tmp_path, erase="dock") as house:
        house.record(CLIP, FOOTAGE, "nobody" if what == "quarantine" else "cam-1")
        if what != "no proof":
            house.acknowledge()
        if what == "no custody":
            house.service.state.custody_behind = True
            house.service.copies.at_once = lambda: False  # type: ignore[method-assign]
        assert house.look(4) == "waiting"
        assert on_camera(house) == [f"{CLIP}.capture.json", f"{CLIP}.mp4"]
        assert house.custody("erased") == [] == receipts(house)


def spoil(tx: Transaction) -> None:
    tx.record(NewEntry(CustodyAction.DAMAGED, CLIP, {"path": "clip.sealed", "problem": "a bit"}))


def shorten(tx: Transaction) -> None:
    os.truncate(tx.dock.vault.clip(CLIP).sealed, 100)


def remove(tx: Transaction) -> None:
    shutil.rmtree(tx.dock.vault.clip(CLIP).path)


@pytest.mark.parametrize("harm", [spoil, shorten, remove])
def test_a_clip_that_the_vault_lost_is_kept_on_its_camera(tmp_path: Path, harm: Callable[[Transaction], None]) -> None:
    with docked(tmp_path, erase_after_seconds=60) as house:
        house.look(4)
        house.service.run_in_transaction(harm)
        house.clock.turn(seconds=61)
        assert house.look(4) == "waiting"
        assert on_camera(house) == [f"{CLIP}.capture.json", f"{CLIP}.mp4"]


def standing(house: House) -> tuple[str, str | None]:
    bay = house.bay()
    handle = InlineReader(house.mount.path)
    states = [bay.state_after(handle) for _ in range(3)]
    handle.close()
    assert bay.progress.shown is not None
    return states[-1], bay.progress.shown.reason


def test_a_camera_that_takes_no_receipt_any_more(tmp_path: Path) -> None:
    """Whatever it had before: deleting follows a receipt that is durable now."""
    with docked(tmp_path, erase_after_seconds=60) as house:
        house.look(4)
        shutil.rmtree(house.mount.path / "receipts")
        (house.mount.path / "receipts").write_text("a file")
        house.clock.turn(seconds=61)
        assert house.look(4) == "waiting"
        assert len(on_camera(house)) == 2


# only the very file


def test_another_file_of_the_same_name_size_and_times_is_left(tmp_path: Path) -> None:
    """A camera without a clock, that used a clip's name again: its bytes tell."""
    with docked(tmp_path, erase_after_seconds=60) as house:
        house.look(4)
        path = house.mount.path / "clips" / f"{CLIP}.mp4"
        times = path.stat()
        path.write_bytes(bytes(len(FOOTAGE)))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        house.dock.store.db.execute("UPDATE clip SET footage = ?", (spelled(path),))  # as without a ctime
        house.clock.turn(seconds=61)
        assert standing(house)[0] == "waiting"
        assert path.read_bytes() == bytes(len(FOOTAGE))
        assert len(on_camera(house)) == 2
        assert not house.dock.store.set_out(CLIP)


def spelled(path: Path) -> str:
    info = path.stat()
    return f"{info.st_size} {info.st_mtime_ns} {info.st_ctime_ns}"


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    with tmpfs(tmp_path / "bay-1", "8m") as made:
        mount = Mount(made, tmp_path / "staging")
        mount.introduce()
        mount.footage(CLIP, FOOTAGE)
        mount.capture(CLIP)
        yield mount


def wanted(mount: Mount, stem: str = CLIP, sha256: str | None = None) -> dict[str, EraseRequest]:
    return {stem: EraseRequest(mount.request(stem).footage, sha256)}


def grow(path: Path) -> None:
    path.write_bytes(FOOTAGE + b"x")


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def replace(path: Path) -> None:
    shutil.copy2(path, path.with_suffix(".new"))
    path.with_suffix(".new").rename(path)


def link(path: Path) -> None:
    path.rename(path.with_suffix(".elsewhere"))
    path.symlink_to(path.with_suffix(".elsewhere"))


def second_name(path: Path) -> None:
    os.link(path, path.with_suffix(".second"))


@pytest.mark.parametrize("change", [grow, touch, replace, link, second_name])
def test_a_file_that_is_not_the_one_that_was_read_is_left(mount: Mount, change: Callable[[Path], None]) -> None:
    path = mount.path / "clips" / f"{CLIP}.mp4"
    asked = wanted(mount)
    change(path)
    if change in {link, second_name}:  # as far as its times go it is the same: only what it is tells
        info = path.stat()
        asked[CLIP] = EraseRequest(FileStat(info.st_size, info.st_mtime_ns, info.st_ctime_ns), None)
    failed = ask(mount, asked)
    assert type(failed[CLIP]) is CameraReadError
    assert path.exists() and (mount.path / "clips" / f"{CLIP}.capture.json").exists()


def ask(mount: Mount, clips: dict[str, EraseRequest]) -> dict[str, BwcError]:
    handle = ReaderHandle(mount.path, LIMITS, 20.0)
    try:
        return handle.erase(clips)
    finally:
        handle.close()


def test_a_linked_folder_is_not_followed(mount: Mount, tmp_path: Path) -> None:
    asked = wanted(mount)
    (mount.path / "clips").rename(mount.path / "moved")
    (mount.path / "clips").symlink_to(mount.path / "moved")
    assert type(ask(mount, asked)[CLIP]) is UnavailableError
    assert (mount.path / "moved" / f"{CLIP}.mp4").exists()


def test_a_long_file_read_again_is_no_hang(mount: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader says that it lives with every piece it reads; the dock takes none of that for the answer."""
    mount.footage(OTHER_CLIP, bytes(5 << 20))
    other = "c036cbb7553a909f8b8877d4461924307f27ecb66cff928eeeafd569c3887e29"
    failed = ask(mount, wanted(mount, OTHER_CLIP, other) | wanted(mount, CLIP, "0" * 64))
    assert set(failed) == {CLIP}
    assert not (mount.path / "clips" / f"{OTHER_CLIP}.mp4").exists()
    said: list[str] = []
    fd = os.open(mount.path, os.O_RDONLY)
    mount.footage(OTHER_CLIP, bytes(5 << 20))
    eraser.Eraser(fd, 1 << 30, lambda: said.append("alive")).erase(wanted(mount, OTHER_CLIP, other))
    os.close(fd)
    assert len(said) == 2


def test_a_read_only_camera(mount: Mount) -> None:
    asked = wanted(mount)
    remount(mount.path, "ro")
    assert type(ask(mount, asked)[CLIP]) is UnavailableError
    remount(mount.path, "rw")
    assert ask(mount, asked) == {}


def remount(path: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", str(path)], check=True)


# torn apart


class Dying(InlineReader):
    """A reader that ends at its first erasing, before or after it is done."""

    after = False

    def erase(self, clips: Mapping[str, EraseRequest]) -> dict[str, BwcError]:
        if self.after:
            super().erase(clips)
        raise ReaderGoneError("killed")


@pytest.mark.parametrize("after", [False, True])
def test_a_reader_that_dies_while_erasing(house: House, after: bool) -> None:
    bay = house.bay()
    handle = Dying(house.mount.path)
    handle.after = after
    with pytest.raises(ReaderGoneError):
        for _ in range(4):
            bay.look(handle)
    handle.close()
    assert house.custody("erased") == []
    assert house.look(4) == "done"
    assert on_camera(house) == []
    assert [entry["detail"]["by"] for entry in house.custody("erased")] == ["dock"]


def test_only_the_capture_went(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unplugged in between: the clip is known again by its footage, and goes when it may be an orphan's."""
    broken = [True]
    real = os.unlink

    def unlink(name: str, *, dir_fd: int | None = None) -> None:
        if broken and name.endswith(".mp4"):
            raise OSError(errno.EIO, "unplugged")
        real(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", unlink)
    assert house.look(4) == "waiting"
    assert on_camera(house) == [f"{CLIP}.mp4"]
    broken.clear()
    object.__setattr__(house.dock.config.ingest, "orphan_seconds", 0.0)
    assert house.look(4) == "done"
    assert on_camera(house) == []
    assert len(house.custody("ingested")) == 1


CALLS = ("unlink", "fsync", "stat", "mkdir", "rename", "open", "read")
LOOKS = st.integers(1, 3)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.lists(st.tuples(st.sampled_from(CALLS), st.integers(1, 12)), max_size=4), LOOKS), min_size=3)
)
def test_a_clip_is_never_missing_from_both(
    tmp_path_factory: pytest.TempPathFactory, rounds: list[tuple[list[tuple[str, int]], int]]
) -> None:
    """Whatever call on the camera fails, and however often: every clip lies there or opens from the vault."""
    root = tmp_path_factory.mktemp("both")
    with open_house(root, erase="dock") as house, pytest.MonkeyPatch.context() as patch:
        house.acknowledge()
        for clip_id in (CLIP, OTHER_CLIP):
            house.record(clip_id, FOOTAGE + clip_id.encode())
        for calls, looks in rounds[:3]:
            failing(patch, house, dict(calls))
            with contextlib.suppress(OSError):
                house.look(looks)
            patch.undo()
            for clip_id in (CLIP, OTHER_CLIP):
                lies = (house.mount.path / "clips" / f"{clip_id}.mp4").exists()
                assert lies or whole(house, clip_id)
                assert lies or f"{clip_id}.receipt.json" in receipts(house)
        object.__setattr__(house.dock.config.ingest, "orphan_seconds", 0.0)
        assert house.look(5) == "done"
        assert on_camera(house) == []
        assert len(house.custody("ingested")) == len(house.custody("erased")) == 2


def whole(house: House, clip_id: str) -> bool:
    return VaultLayout(house.dock.config.vault).find(clip_id) is not None and bool(house.evidence(clip_id))


def failing(patch: pytest.MonkeyPatch, house: House, calls: dict[str, int]) -> None:
    """The Nth call of a kind that names the camera fails (by its descriptor: those calls all have a `dir_fd`)."""
    for kind, number in calls.items():
        real, left = getattr(os, kind), [number]

        def call(*given: Any, real: Any = real, left: list[int] = left, **named: Any) -> Any:
            fd = named.get("dir_fd", named.get("src_dir_fd", given[0] if isinstance(given[0], int) else None))
            if isinstance(fd, int) and str(house.mount.path) in os.readlink(f"/proc/self/fd/{fd}"):
                left[0] -= 1
                if left[0] == 0:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(*given, **named)

        patch.setattr(os, kind, call)


def test_a_capture_of_another_camera_erases_nothing(house: House) -> None:
    stolen = signed(statement("capture", clip_id=OTHER_CLIP, camera_serial="cam-2"), "cam-2").to_bytes()
    (house.mount.path / "clips" / f"{OTHER_CLIP}.capture.json").write_bytes(stolen)
    house.mount.footage(OTHER_CLIP, FOOTAGE)
    object.__setattr__(house.dock.config.ingest, "orphan_seconds", 0.0)
    assert house.look(4) == "waiting"
    assert on_camera(house) == [f"{OTHER_CLIP}.capture.json", f"{OTHER_CLIP}.mp4"]
