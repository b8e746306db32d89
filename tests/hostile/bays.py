"""Camera mounts as an attacker makes them: a good one, twisted in one to four ways that a seed repeats."""

from __future__ import annotations

import os
import random
import shutil
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.hostile.mutate import mutate
from tests.kit import agency
from tests.kit.agency import CLIP
from tests.kit.camera import Mount

CANARY = b"canary-9d1f0c5e-a-secret-outside-the-mount"
"""Planted outside; these bytes must never be read through a mount."""
LIMIT = 1 << 20
"""The largest clip read here, in bytes."""
MOST_CLIPS = 40
_BIG = (1 << 40, 1 << 62, (1 << 63) - 4096)
_CAPTURE = agency.signed(agency.statement("capture"), "cam-1").to_bytes()
_NAMES: tuple[bytes, ...] = (
    b"new\nline",
    b"\x1b[31mred\x07",
    b"\xff\xfe\x80",
    b"..",
    b"...",
    b"-rf",
    b"$(reboot)",
    b"%s%n",
    b"a b",
    b"bytes:",
    b"bytes:zz",
    b"bytes:2e2e2f",
    b"\xe2\x80\xaegnp",
    b"x" * 242,
    b"y" * 251,
    b".mp4",
    b"CON",
    CLIP.upper().encode(),
    CLIP.encode() + b".mp4",
    b"\xed\xa0\x80",
)


@dataclass
class Bay:
    """One mount below `root`, and beside it what nobody may read or change."""

    root: Path
    rng: random.Random
    done: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.root / "bay-1"

    @property
    def outside(self) -> Path:
        return self.root / "outside"

    def build(self) -> None:
        """Fresh, then twisted."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(exist_ok=True)
        self.fill()
        for _ in range(self.rng.choice((1, 1, 2, 3, 4))):
            self.twist()

    def empty(self) -> None:
        """As before, but the folder itself stays: whoever has it open keeps it."""
        for name in os.listdir(self.path):
            entry = self.path / name
            shutil.rmtree(entry) if stat.S_ISDIR(entry.lstat().st_mode) else entry.unlink()

    def fill(self) -> None:
        """A good camera with one clip."""
        self.outside.mkdir(exist_ok=True)
        (self.outside / "secret").write_bytes(CANARY)
        mount = Mount(self.path, self.root)
        mount.introduce()
        mount.footage(CLIP, b"footage")
        (self.path / "clips" / f"{CLIP}.capture.json").write_bytes(_CAPTURE)

    def twist(self) -> None:
        twist = self.rng.choice(_TWISTS)
        self.done.append(twist.__name__.strip("_"))
        try:
            twist(self)
        except OSError:
            pass  # an earlier twist took what this one needs, or this machine forbids it

    def victim(self) -> Path:
        """A path of the layout, emptied."""
        names = ("camera.json", f"clips/{CLIP}.mp4", f"clips/{CLIP}.capture.json", "clips", "receipts")
        path = self.path / self.rng.choice((*names, f"receipts/{CLIP}.receipt.json"))
        if not os.path.lexists(path.parent):
            path.parent.mkdir()
        self.folder(path.parent)
        if os.path.lexists(path):
            shutil.rmtree(path) if stat.S_ISDIR(path.lstat().st_mode) else path.unlink()
        return path

    def file(self) -> Path:
        """One of the files, as long as it is one: nothing is ever written through what an earlier twist left."""
        return self.plain(self.rng.choice(("camera.json", f"clips/{CLIP}.mp4", f"clips/{CLIP}.capture.json")))

    def plain(self, name: str) -> Path:
        path = self.path / name
        self.folder(path.parent)
        info = path.lstat()
        if not stat.S_ISREG(info.st_mode) or info.st_nlink != 1 or info.st_size > 1 << 17:
            raise OSError(f"{path} is twisted already")
        return path

    def folder(self, path: Path) -> Path:
        if not stat.S_ISDIR(path.lstat().st_mode):
            raise OSError(f"{path} is twisted already")
        return path

    def clips(self) -> Path:
        return self.folder(self.path / "clips")


def _link(bay: Bay) -> None:
    path = bay.victim()
    climb = "../" * len(path.relative_to(bay.path).parts)
    targets = (
        str(bay.outside / "secret"),
        f"{climb}outside/secret",
        str(bay.outside),
        f"{climb}outside",
        "/etc/passwd",
        "/proc/self/environ",
        "/proc/self/root",
        "/dev/zero",
        path.name,
        "nowhere",
        "x" * 4000,
        f"{CLIP}.mp4",
        ".",
        "..",
        "/",
    )
    path.symlink_to(bay.rng.choice(targets))


def _chain(bay: Bay) -> None:
    path = bay.victim()
    for number in range(bay.rng.choice((1, 5, 45))):
        (bay.path / f"link{number}").symlink_to(f"link{number + 1}" if number else str(bay.outside / "secret"))
    path.symlink_to(bay.path / "link0")


def _folder_link(bay: Bay) -> None:
    """`clips` or `receipts` leads to a folder with the right names in it, outside."""
    clips = bay.path / bay.rng.choice(("clips", "receipts"))
    if os.path.lexists(clips):
        shutil.rmtree(bay.folder(clips))
    away = bay.outside / "clips"
    away.mkdir(exist_ok=True)
    for name in (f"{CLIP}.mp4", f"{CLIP}.capture.json"):
        (away / name).write_bytes(CANARY)
    clips.symlink_to(away)


def _hard_link(bay: Bay) -> None:
    os.link(bay.rng.choice((bay.outside / "secret", bay.file())), bay.victim())


def _fifo(bay: Bay) -> None:
    os.mkfifo(bay.victim())


def _socket(bay: Bay) -> None:
    path = bay.victim()
    here = os.open(".", os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listening:
        os.chdir(path.parent)  # a socket's path may have 107 bytes only
        try:
            listening.bind(path.name)
        finally:
            os.fchdir(here)
            os.close(here)


def _device(bay: Bay) -> None:
    kind, major, minor = bay.rng.choice(
        ((stat.S_IFCHR, 1, 5), (stat.S_IFCHR, 1, 7), (stat.S_IFCHR, 1, 3), (stat.S_IFCHR, 5, 0), (stat.S_IFBLK, 7, 250))
    )
    os.mknod(bay.victim(), kind | 0o600, os.makedev(major, minor))


def _folder(bay: Bay) -> None:
    (bay.victim() / "inside").mkdir(parents=True)


def _plain_file(bay: Bay) -> None:
    bay.victim().write_bytes(bay.rng.randbytes(bay.rng.choice((0, 1, 100, 70_000))))


def _missing(bay: Bay) -> None:
    bay.victim()


def _sparse(bay: Bay) -> None:
    path = bay.file()
    for size in bay.rng.sample(_BIG, len(_BIG)):
        try:
            os.truncate(path, size)
        except OSError:
            continue
        return


def _hole(bay: Bay) -> None:
    with bay.file().open("r+b") as file:
        file.seek(bay.rng.choice((1 << 16, 1 << 19)))
        file.write(b"x")


def _oversize(bay: Bay) -> None:
    bay.file().write_bytes(b"[" * bay.rng.choice((65535, 65537, LIMIT + 1)))


def _camera(bay: Bay) -> None:
    path = bay.plain("camera.json")
    path.write_bytes(mutate(bay.rng, path.read_bytes()))


def _capture(bay: Bay) -> None:
    path = bay.plain(f"clips/{CLIP}.capture.json")
    path.write_bytes(mutate(bay.rng, path.read_bytes()))


def _names(bay: Bay) -> None:
    for _ in range(bay.rng.choice((1, 3))):
        raw = os.fsdecode(bay.rng.choice(_NAMES))
        for name, data in ((f"{raw}.mp4", b"odd"), (f"{raw}.capture.json", _CAPTURE)):
            path = bay.clips() / name
            if not os.path.lexists(path):
                path.write_bytes(data)


def _many(bay: Bay) -> None:
    for number in range(bay.rng.choice((MOST_CLIPS, 2 * MOST_CLIPS + 1))):
        (bay.clips() / f"{number}.{bay.rng.choice(('mp4', 'txt', 'capture.json'))}").touch()


def _deep(bay: Bay) -> None:
    os.makedirs(bay.folder(bay.path / bay.rng.choice(("clips", ""))) / "/".join(["d"] * 60), exist_ok=True)


def _times(bay: Bay) -> None:
    at = bay.rng.choice((-(1 << 40), -1, 0, (1 << 34) - 1, 1 << 40, 1 << 60))
    os.utime(bay.file(), (at, at))


def _modes(bay: Bay) -> None:
    bay.file().chmod(bay.rng.choice((0, 0o4755, 0o7777)))


def _scraps(bay: Bay) -> None:
    """What looks as if the dock had left it."""
    folder = bay.path / "receipts"
    if not os.path.lexists(folder):
        folder.mkdir()
    for name in (".0.tmp", f"{CLIP}.receipt.json"):
        (bay.folder(folder) / name).symlink_to(bay.outside / bay.rng.choice(("secret", "new")))


_TWISTS: tuple[Callable[[Bay], None], ...] = (
    _link,
    _link,
    _chain,
    _folder_link,
    _hard_link,
    _fifo,
    _socket,
    _device,
    _folder,
    _plain_file,
    _missing,
    _sparse,
    _hole,
    _oversize,
    _camera,
    _camera,
    _capture,
    _capture,
    _names,
    _names,
    _many,
    _deep,
    _times,
    _modes,
    _scraps,
)
