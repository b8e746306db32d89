"""Opening what an attacker laid out, by openat2 and by the walk that stands in for it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.dock.camera import safe_open
from daemon.model.errors import CameraReadError
from tests.kit.mounting import tmpfs

LIMIT = 1000


@pytest.fixture(params=["openat2", "ENOSYS", "EPERM"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the system call, and where a filter answers in its place."""
    if request.param != "openat2":

        def refused(_root: int, _path: str, _flags: int) -> int:
            number = getattr(errno, request.param)
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(safe_open, "openat2", refused)
    return str(request.param)


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    (tmp_path / "bay" / "clips").mkdir(parents=True)
    (tmp_path / "bay" / "clips" / "a.mp4").write_bytes(b"footage")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    return tmp_path / "bay"


@pytest.fixture
def root(mount: Path) -> Iterator[int]:
    fd = os.open(mount, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


@pytest.mark.usefixtures("way")
def test_reads_a_file(root: int) -> None:
    assert safe_open.read_small(root, "clips/a.mp4", limit=LIMIT) == b"footage"
    fd = safe_open.open_file(root, "clips/a.mp4", limit=7)
    assert not os.get_inheritable(fd)
    assert os.read(fd, 100) == b"footage"
    os.close(fd)
    folder = safe_open.open_directory(root, "clips")
    assert os.listdir(folder) == ["a.mp4"]
    os.close(folder)


HOSTILE: dict[str, Callable[[Path], object]] = {
    "a link to a file outside": lambda at: at.symlink_to("../../outside/secret"),
    "a link to a file inside": lambda at: at.symlink_to("a.mp4"),
    "an absolute link": lambda at: at.symlink_to("/etc/passwd"),
    "a magic link": lambda at: at.symlink_to("/proc/self/fd/0"),
    "a dangling link": lambda at: at.symlink_to("nowhere"),
    "a link to itself": lambda at: at.symlink_to(at.name),
    "a second name of a file outside": lambda at: os.link(at.parent.parent.parent / "outside" / "secret", at),
    "a second name of a file inside": lambda at: os.link(at.parent / "a.mp4", at),
    "a FIFO": lambda at: os.mkfifo(at),
    "a directory": lambda at: at.mkdir(),
    "a file of holes": lambda at: os.truncate(_touch(at), 500),
    "a file with a hole": lambda at: _with_hole(at),
    "a file too large": lambda at: at.write_bytes(b"x" * (LIMIT + 1)),
    "nothing": lambda at: None,
}


def _touch(at: Path) -> Path:
    at.touch()
    return at


def _with_hole(at: Path) -> None:
    with at.open("wb") as file:
        file.write(b"x" * 4096)
        file.seek(1 << 20)
        file.write(b"x")


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("what", HOSTILE)
def test_refuses(mount: Path, root: int, what: str) -> None:
    HOSTILE[what](mount / "clips" / "evil.mp4")
    limit = LIMIT if what != "a file with a hole" else 1 << 30
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(CameraReadError):
        safe_open.open_file(root, "clips/evil.mp4", limit=limit)
    assert len(os.listdir("/proc/self/fd")) <= before, "no descriptor is left open"


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("name", ["socket", "device"])
def test_refuses_what_is_no_file(mount: Path, root: int, name: str) -> None:
    import socket
    import stat

    with socket.socket(socket.AF_UNIX) as listening:
        if name == "socket":
            here = Path.cwd()
            os.chdir(mount / "clips")  # a socket's path may have 107 bytes only
            listening.bind("evil.mp4")
            os.chdir(here)
        else:
            try:
                os.mknod(mount / "clips" / "evil.mp4", stat.S_IFCHR | 0o600, os.makedev(1, 5))
            except PermissionError:
                pytest.skip("making a device needs root")
        with pytest.raises(CameraReadError):
            safe_open.open_file(root, "clips/evil.mp4", limit=LIMIT)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    "path",
    [
        "../outside/secret",
        "clips/../../outside/secret",
        "/etc/passwd",
        "clips/a.mp4/..",
        "..",
        "",
        "clips/a.mp4/x",
        "a\0b",
    ],
)
def test_never_leaves_the_mount(root: int, path: str) -> None:
    with pytest.raises(CameraReadError):
        os.close(safe_open.open_file(root, path, limit=LIMIT))
    with pytest.raises(CameraReadError):
        os.close(safe_open.open_directory(root, path))


@pytest.mark.usefixtures("way")
def test_a_linked_folder_on_the_way(mount: Path, root: int) -> None:
    (mount / "clips").rename(mount / "real")
    (mount / "clips").symlink_to("real")
    with pytest.raises(CameraReadError):
        os.close(safe_open.open_file(root, "clips/a.mp4", limit=LIMIT))
    with pytest.raises(CameraReadError):
        os.close(safe_open.open_directory(root, "clips"))


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    "name", [b"new\nline.mp4", b"\xff\xfe.mp4", b"\x1b[31mred.mp4", "\u00e4.mp4".encode(), b" .mp4"]
)
def test_odd_names_are_opened_and_shown_harmlessly(mount: Path, root: int, name: bytes) -> None:
    (mount / "clips" / os.fsdecode(name)).write_bytes(b"x")
    path = f"clips/{os.fsdecode(name)}"
    assert safe_open.read_small(root, path, limit=LIMIT) == b"x"
    with pytest.raises(CameraReadError) as caught:
        safe_open.read_small(root, path, limit=0)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("bound", ["file", "folder"])
def test_another_mount_inside(mount: Path, root: int, tmp_path: Path, bound: str) -> None:
    inner = mount / "clips" / "inner"
    with tmpfs(inner, "64k"):
        (inner / "a.mp4").write_bytes(b"x")
        with pytest.raises(CameraReadError):
            if bound == "file":
                safe_open.read_small(root, "clips/inner/a.mp4", limit=LIMIT)
            else:
                os.close(safe_open.open_directory(root, "clips/inner"))


@pytest.mark.usefixtures("way")
def test_a_file_that_shrinks_between_two_looks(root: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def lseek(_fd: int, _offset: int, _whence: int) -> int:
        raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))

    monkeypatch.setattr(os, "lseek", lseek)
    with pytest.raises(CameraReadError):
        safe_open.open_file(root, "clips/a.mp4", limit=LIMIT)


def test_a_read_that_fails(root: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_fd: int, _count: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "read", read)
    with pytest.raises(CameraReadError):
        safe_open.read_small(root, "clips/a.mp4", limit=LIMIT)
