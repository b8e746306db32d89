"""The reader process on a real directory: what it tells, what it writes, and how it ends."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.core.pacing import at_full_speed
from daemon.core.settle import FileStat
from daemon.dock.camera import byte_path, process, safe_open
from daemon.dock.camera.file_names import name_of_stem, stem_of_name
from daemon.dock.camera.handle import ReaderHandle
from daemon.dock.camera.messages import (
    Answer,
    BatchSealed,
    CapturesRead,
    Failed,
    Failure,
    ReadCaptures,
    ReaderLimits,
    ReceiptsWritten,
    Scan,
    Scanned,
    SealRequest,
    SealResult,
    WriteReceipts,
    answer_bytes,
)
from daemon.dock.camera.process import CameraFiles
from daemon.dock.camera.reader import CameraUnusableError, ReaderGoneError
from daemon.dock.camera.sealer import check_batch, write_batch
from daemon.model.errors import BwcError, CameraReadError, NotDurableError, UnavailableError
from daemon.seal import stream
from daemon.seal.keys import keyid
from daemon.seal.stream import PLAIN, SEGMENT
from daemon.seal.wrap import data_key_info, unwrap
from daemon.vault import durable
from daemon.vault.space import DiskFullError
from tests.kit.agency import CLIP, OTHER_CLIP, open_key
from tests.kit.camera import Mount, babble, capture, receipt, seal
from tests.kit.mounting import tmpfs
from tests.kit.patience import PATIENCE

LIMITS = ReaderLimits(max_clips=4, max_clip_bytes=64 * SEGMENT)


@pytest.fixture
def mount(tmp_path: Path) -> Mount:
    made = Mount(tmp_path / "bay-1", tmp_path / "staging")
    made.introduce()
    return made


@contextlib.contextmanager
def reading(path: Path, hang_seconds: float = 20.0) -> Iterator[ReaderHandle]:
    handle = ReaderHandle(path, LIMITS, hang_seconds)
    try:
        yield handle
    finally:
        handle.close()


@pytest.fixture
def handle(mount: Mount) -> Iterator[ReaderHandle]:
    with reading(mount.path) as made:
        yield made


def test_a_scan(mount: Mount, handle: ReaderHandle) -> None:
    mount.footage(CLIP, b"12345")
    mount.capture(CLIP)
    mount.footage(OTHER_CLIP, b"")
    (mount.path / "clips" / "notes.txt").write_text("x")
    scan = handle.scan()
    assert scan.camera == (mount.path / "camera.json").read_bytes()
    first, second = scan.clips
    assert [first.stem, second.stem] == [CLIP, OTHER_CLIP]
    info = (mount.path / "clips" / f"{CLIP}.mp4").stat()
    assert first.footage == FileStat(info.st_size, info.st_mtime_ns, info.st_ctime_ns)
    assert first.capture is not None
    assert first.capture.size == (mount.path / "clips" / f"{CLIP}.capture.json").stat().st_size
    assert second.capture is None


def test_a_camera_without_clips_or_papers(mount: Mount, handle: ReaderHandle) -> None:
    shutil.rmtree(mount.path / "clips")
    (mount.path / "camera.json").unlink()
    scan = handle.scan()
    assert scan.clips == ()
    assert isinstance(scan.camera, Failure)
    assert "camera.json" in scan.camera.message


def test_too_many_clips(mount: Mount, handle: ReaderHandle) -> None:
    for number in range(9):
        mount.footage(f"clip-{number}")
    with pytest.raises(CameraReadError):
        handle.scan()


@pytest.mark.parametrize("limit", [process.SMALL, process.SMALL + 1])
def test_a_capture_as_it_lies_there(mount: Mount, handle: ReaderHandle, limit: int) -> None:
    data = b"x" * limit
    (mount.path / "clips" / f"{CLIP}.capture.json").write_bytes(data)
    if limit > process.SMALL:
        with pytest.raises(CameraReadError):
            capture(handle)
    else:
        assert capture(handle) == data


def test_sealing_over_the_pipe(mount: Mount, handle: ReaderHandle) -> None:
    data = os.urandom(5 * PLAIN)
    mount.footage(CLIP, data)
    request = mount.request(capture_sha256="ab" * 32)
    progress: list[int] = []
    answer = seal(handle, request, progress.append)
    sealed = (mount.staging / "clip.sealed").read_bytes()
    assert answer.sealed.clip_sha256 == hashlib.sha256(data).hexdigest()
    assert answer.sealed.sealed_sha256 == hashlib.sha256(sealed).hexdigest()
    assert answer.playable is False
    assert progress
    for owner, wrapped in zip(("policy", "recovery"), answer.wrapped_keys, strict=True):
        recipient = keyid(open_key(owner).public_key())
        info = data_key_info("dock-1", CLIP, "ab" * 32, recipient)
        data_key = unwrap(wrapped, open_key(owner), info)
        parts = stream.decrypt(io.BytesIO(sealed), len(sealed), data_key, CLIP)
        assert b"".join(map(bytes, parts)) == data


def test_each_clip_has_a_key_of_its_own(mount: Mount, handle: ReaderHandle) -> None:
    mount.footage()
    keys = set()
    for number in range(2):
        answer = seal(handle, mount.request(target=mount.staging / str(number)))
        recipient = keyid(open_key("policy").public_key())
        keys.add(unwrap(answer.wrapped_keys[0], open_key("policy"), data_key_info("dock-1", CLIP, None, recipient)))
    assert len(keys) == 2


def test_a_clip_that_changed_since_the_scan(mount: Mount, handle: ReaderHandle) -> None:
    mount.footage()
    request = mount.request()
    mount.footage(data=b"something longer")
    with pytest.raises(CameraReadError):
        seal(handle, request)
    assert os.listdir(mount.staging) == []


@pytest.mark.parametrize("name", [b"\xff\xfe", b"new\nline", b"bytes:41", "\u00e4 b".encode(), b"..", b"x" * 242])
def test_any_name_a_file_can_have(mount: Mount, handle: ReaderHandle, name: bytes) -> None:
    """What goes to the dock is text that JSON, SQLite and a log line take, and leads back to the very file."""
    raw = os.fsdecode(name)
    mount.footage(raw, b"odd")
    (mount.path / "clips" / f"{raw}.capture.json").write_bytes(b"{}")
    [found] = handle.scan().clips
    stem = found.stem
    stem.encode()
    assert name_of_stem(stem) == raw
    assert found.capture is not None
    assert capture(handle, stem) == b"{}"
    assert seal(handle, replace(mount.request(raw), stem=stem)).sealed.size == 3
    receipt(handle, b"receipt", stem)
    assert (mount.path / "receipts" / f"{raw}.receipt.json").read_bytes() == b"receipt"


def test_spelled_names_never_meet() -> None:
    names = ["a", "\udcff", "bytes:ff", "bytes:", "bytes:6279", "\udcfe"]
    assert len({stem_of_name(name) for name in names}) == len(names)
    assert [name_of_stem(stem_of_name(name)) for name in names] == names


def test_a_receipt_is_replaced_whole(mount: Mount, handle: ReaderHandle) -> None:
    for content in (b"first", b"second"):
        receipt(handle, content)
        assert os.listdir(mount.path / "receipts") == [f"{CLIP}.receipt.json"]
        assert (mount.path / "receipts" / f"{CLIP}.receipt.json").read_bytes() == content


def _linked_folder(mount: Mount, outside: Path) -> None:
    (mount.path / "receipts").symlink_to(outside)


def _file_for_a_folder(mount: Mount, _outside: Path) -> None:
    (mount.path / "receipts").write_text("x")


def _folder_for_a_file(mount: Mount, _outside: Path) -> None:
    (mount.path / "receipts" / f"{CLIP}.receipt.json" / "inside").mkdir(parents=True)


@pytest.mark.parametrize("trap", [_linked_folder, _file_for_a_folder, _folder_for_a_file])
def test_a_receipt_goes_nowhere_else(
    mount: Mount, handle: ReaderHandle, tmp_path: Path, trap: Callable[[Mount, Path], None]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    trap(mount, outside)
    with pytest.raises((CameraReadError, UnavailableError)):
        receipt(handle, b"receipt")
    assert os.listdir(outside) == []
    if (mount.path / "receipts").is_dir() and not (mount.path / "receipts").is_symlink():
        assert os.listdir(mount.path / "receipts") == [f"{CLIP}.receipt.json"], "no scrap is left behind"


def test_a_linked_receipt_is_replaced_not_followed(mount: Mount, handle: ReaderHandle, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("mine")
    (mount.path / "receipts").mkdir()
    (mount.path / "receipts" / f"{CLIP}.receipt.json").symlink_to(tmp_path / "outside")
    receipt(handle, b"receipt")
    assert (tmp_path / "outside").read_text() == "mine"
    assert not (mount.path / "receipts" / f"{CLIP}.receipt.json").is_symlink()


def test_a_camera_without_room_or_a_camera_that_is_read_only(tmp_path: Path) -> None:
    """The camera's trouble is never taken for the vault's: that would stop the dock."""
    import subprocess

    with tmpfs(tmp_path / "bay-1", "64k") as path:
        mount = Mount(path, tmp_path / "staging")
        mount.introduce()
        with reading(path) as handle:
            with (path / "fill").open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * 4096)
            with pytest.raises(UnavailableError) as caught:
                receipt(handle, b"receipt" * 5000)
            assert not isinstance(caught.value, DiskFullError)
            (path / "fill").unlink()
            shutil.rmtree(path / "receipts", ignore_errors=True)
            subprocess.run(["mount", "-o", "remount,ro", str(path)], check=True)
            with pytest.raises(UnavailableError):
                receipt(handle, b"receipt")
            subprocess.run(["mount", "-o", "remount,rw", str(path)], check=True)


def test_a_full_vault(mount: Mount, handle: ReaderHandle, tmp_path: Path) -> None:
    mount.footage(data=bytes(3 * SEGMENT))
    with tmpfs(tmp_path / "vault", "1m") as vault, pytest.raises(DiskFullError):
        seal(handle, mount.request(target=vault / "clip.sealed"))


def test_a_vault_that_fails(mount: Mount, handle: ReaderHandle, tmp_path: Path) -> None:
    mount.footage()
    with pytest.raises(NotDurableError):
        seal(handle, mount.request(target=tmp_path / "missing" / "clip.sealed"))


def test_hostile_footage_is_refused_over_the_pipe(mount: Mount, handle: ReaderHandle, tmp_path: Path) -> None:
    (tmp_path / "secret.mp4").write_text("secret")
    (mount.path / "clips" / f"{CLIP}.mp4").symlink_to(tmp_path / "secret.mp4")
    with pytest.raises(CameraReadError):
        seal(handle, mount.request())
    assert handle.scan().clips, "and the reader goes on"


def test_an_unplugged_directory(mount: Mount, handle: ReaderHandle) -> None:
    mount.footage()
    request = mount.request()
    handle.scan()
    shutil.rmtree(mount.path)
    assert handle.scan().clips == ()
    with pytest.raises(CameraReadError):
        seal(handle, request)
    with pytest.raises((CameraReadError, UnavailableError)):
        receipt(handle, b"receipt")


def test_a_bay_that_is_gone_before_the_reader_starts(tmp_path: Path) -> None:
    with reading(tmp_path / "nothing") as handle, pytest.raises(ReaderGoneError):
        handle.scan()


def test_a_killed_reader(handle: ReaderHandle) -> None:
    handle.scan()
    handle.kill()
    with pytest.raises(ReaderGoneError):
        handle.scan()


def test_a_reader_killed_by_another_thread_while_it_is_waited_for(handle: ReaderHandle) -> None:
    handle.scan()
    assert handle.process.pid is not None
    os.kill(handle.process.pid, signal.SIGSTOP)
    killer = threading.Timer(0.05, handle.kill)
    killer.start()
    with pytest.raises(ReaderGoneError):
        handle.scan()
    killer.join()


def test_a_reader_that_hangs(mount: Mount) -> None:
    with reading(mount.path, hang_seconds=0.2) as handle:
        with contextlib.suppress(CameraUnusableError):  # starting may take longer than that: not what is asked here
            handle.hang_seconds = 20.0
            handle.scan()
        handle.hang_seconds = 0.2
        assert handle.process.pid is not None
        os.kill(handle.process.pid, signal.SIGSTOP)
        with pytest.raises(CameraUnusableError):
            handle.scan()
        handle.process.join(PATIENCE)
        assert not handle.process.is_alive()


@pytest.fixture
def inside(mount: Mount) -> Iterator[CameraFiles]:
    fd = os.open(mount.path, os.O_RDONLY | os.O_DIRECTORY)
    yield CameraFiles(fd, LIMITS)
    os.close(fd)


def broken(number: int) -> Callable[..., Any]:
    def call(*_: object, **__: object) -> Any:
        raise OSError(number, os.strerror(number))

    return call


def first_error(answer: Answer) -> str:
    """The error in an answer, or in what it says of the one clip."""
    match answer:
        case Failed(failure=Failure(error=error)) | CapturesRead(captures={"id": Failure(error=error)}):
            return error
        case CapturesRead():
            failure = answer.captures[CLIP]
            return failure.error if isinstance(failure, Failure) else "CameraReadError"
        case ReceiptsWritten() if answer.failed:
            return answer.failed[CLIP].error
        case _:
            return "CameraReadError"


@pytest.mark.parametrize("command", [Scan(1), ReadCaptures(1, (CLIP,)), WriteReceipts(1, {CLIP: b""})])
@pytest.mark.parametrize("call", ["fstat", "lseek", "mkdir", "scandir"])
def test_the_cameras_errors_are_the_cameras(
    mount: Mount,
    inside: CameraFiles,
    monkeypatch: pytest.MonkeyPatch,
    command: Scan | ReadCaptures | WriteReceipts,
    call: str,
) -> None:
    mount.footage()
    mount.capture()
    monkeypatch.setattr(os, call, broken(errno.EIO))
    answer = inside.answer(command)
    monkeypatch.undo()
    assert first_error(answer) in {"CameraReadError", "UnavailableError"}


def test_a_clip_erased_during_the_scan(mount: Mount, inside: CameraFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    mount.footage(CLIP)
    mount.footage(OTHER_CLIP)
    real = os.scandir

    @contextlib.contextmanager
    def scandir(fd: int) -> Iterator[list[os.DirEntry[str]]]:
        with real(fd) as entries:
            found = list(entries)
        (mount.path / "clips" / f"{OTHER_CLIP}.mp4").unlink()
        yield found

    monkeypatch.setattr(os, "scandir", scandir)
    answer = inside.answer(Scan(1))
    assert isinstance(answer, Scanned)
    assert [found.stem for found in answer.clips] == [CLIP]


def test_only_sealing_can_fail_for_the_vault(
    mount: Mount, inside: CameraFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    mount.footage()
    monkeypatch.setattr(safe_open, "read_small", broken(errno.EIO))
    assert first_error(inside.answer(ReadCaptures(1, (CLIP,)))) == "CameraReadError"
    monkeypatch.setattr(byte_path, "write", broken(errno.EIO))
    [sealing] = write_batch([mount.request()], inside.open_footage, byte_path.make_slots(), print, print)
    assert sealing.failure is not None
    assert sealing.failure.error == "OSError"


@pytest.mark.parametrize(
    "said",
    [
        Scanned(99, b"{}", ()),
        CapturesRead(0, {}),
        BatchSealed(0, ()),
        b"{}",
        b'{"id": 0, "say": "dance"}',
        b"\xff not JSON",
    ],
)
def test_a_reader_that_says_what_none_of_ours_would_is_not_heard_again(tmp_path: Path, said: Answer | bytes) -> None:
    """A hostile camera may have taken it over: whatever it says, the bay gets one clear error, and it is ended."""
    words = tmp_path / "words"
    words.write_bytes(said if isinstance(said, bytes) else answer_bytes(said))
    handle = ReaderHandle(words, LIMITS, 20.0, serve=babble)
    with pytest.raises(CameraUnusableError):
        handle.scan()
    handle.process.join(PATIENCE)
    assert not handle.process.is_alive()
    handle.close()


def test_an_error_keeps_its_type_over_the_pipe() -> None:
    kinds: dict[str, type[BwcError]] = {
        "NotDurableError": NotDurableError,
        "UnavailableError": UnavailableError,
        "CameraReadError": CameraReadError,
        "SomethingNew": CameraReadError,
    }
    for name, kind in kinds.items():
        assert type(Failure(name, "m").to_error()) is kind
    for number in (errno.ENOSPC, errno.EDQUOT):
        assert type(Failure("OSError", "m", number).to_error()) is DiskFullError


def several(mount: Mount, count: int) -> list[SealRequest]:
    """Requests for small clips of different content."""
    requests = []
    for number in range(count):
        mount.footage(f"clip-{number}", b"footage %d" % number)
        requests.append(mount.request(f"clip-{number}", target=mount.staging / str(number)))
    return requests


def test_small_clips_together(mount: Mount, handle: ReaderHandle) -> None:
    """Each keeps a key, a digest and an answer of its own; one that fails takes no other with it."""
    requests = several(mount, 5)
    (mount.path / "clips" / "clip-3.mp4").unlink()
    batch = handle.begin(requests, lambda _: None)
    handle.await_written(batch)
    answers = handle.await_results(batch)
    syncs = {answer.sealed.sync_seconds for answer in answers if isinstance(answer, SealResult)}
    assert len(syncs) == 1 and min(syncs) > 0, "one sync for all, and each says how long it took"
    assert isinstance(answers[3], CameraReadError)
    for number in (0, 1, 2, 4):
        answer = answers[number]
        assert isinstance(answer, SealResult)
        assert answer.sealed.clip_sha256 == hashlib.sha256(b"footage %d" % number).hexdigest()
    assert not (mount.staging / "3").exists()


def test_the_camera_is_read_on_while_the_medium_is_read_back(mount: Mount, handle: ReaderHandle) -> None:
    """A second batch is begun before the first is read back, and the camera answers all the while."""
    requests = several(mount, 2)
    first = handle.begin(requests[:1], lambda _: None)
    handle.await_written(first)
    second = handle.begin(requests[1:], lambda _: None)
    assert len(handle.scan().clips) == 2
    receipt(handle, b"receipt", "clip-0")
    handle.await_written(second)
    for batch, content in ((first, b"footage 0"), (second, b"footage 1")):
        [answer] = handle.await_results(batch)
        assert isinstance(answer, SealResult)
        assert answer.sealed.clip_sha256 == hashlib.sha256(content).hexdigest()


def test_a_failed_sync_fails_all_that_waited_for_it(
    mount: Mount, inside: CameraFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "syncfs", broken(errno.EIO))
    slots = byte_path.make_slots()
    batch = write_batch(several(mount, 3), inside.open_footage, slots, lambda _: None, at_full_speed)
    answers = check_batch(batch, slots, lambda: None)
    assert [answer.error for answer in answers if isinstance(answer, Failure)] == ["NotDurableError"] * 3


def test_a_pace(mount: Mount, handle: ReaderHandle) -> None:
    mount.footage(data=bytes(3 << 20))
    handle.set_pace(10_000_000)
    started = time.monotonic()
    seal(handle, mount.request())
    assert time.monotonic() - started >= 0.3


def test_a_reader_that_cannot_be_started_is_one_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(_: object) -> None:
        raise EOFError("unexpected EOF")

    monkeypatch.setattr("multiprocessing.forkserver.connect_to_new_process", ended)
    with pytest.raises(ReaderGoneError, match="could not be started"):
        ReaderHandle(tmp_path, LIMITS, 1.0)
