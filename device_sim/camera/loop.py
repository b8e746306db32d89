"""A camera whose memory is a real filesystem: an image file on a loop device, mounted on the bay when it is docked.

While the camera is undocked and records, the image is mounted on its store. To dock is one mount. To undock is a sync
and `umount --lazy`, which is what the dock's udev helper does, because a dock keeps files of the mount open. To pull
the camera out is the same without the sync. The image is mounted again only after the last program has closed its
files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from device_sim.camera import memory
from device_sim.camera.bay import Bay
from device_sim.camera.recording import Wearer
from device_sim.errors import SimError, usage

FILESYSTEMS = ("exfat", "ext4")
_LET_GO_SECONDS = 30.0
_OPTIONS = "nosuid,nodev,noexec"
_MAKE = {"exfat": ["mkfs.exfat"], "ext4": ["mkfs.ext4", "-q", "-F"]}
_PACKAGE = {"mkfs.exfat": "exfatprogs", "mkfs.ext4": "e2fsprogs", "losetup": "mount", "mount": "mount"}


class LoopBay(Bay):
    """A bay, and a camera that is a filesystem. After `open` call `close`, so that the store does not stay mounted."""

    def __init__(self, mounts: Path, name: str, wearer: Wearer, store: Path, filesystem: str, size: int) -> None:
        """`size` is in bytes and is used when the image does not exist yet. Raises SimError without root."""
        super().__init__(mounts, name, wearer, store)
        if os.geteuid() != 0:
            raise usage("a camera on a loop device needs root", "without --loop a bay is a plain directory")
        self._image = store.with_name(f"{store.name}.{filesystem}")
        self._filesystem, self._size = filesystem, size

    def open(self) -> None:
        """Mounts the camera's memory on its store, so that it can record. Makes the image if there is none."""
        if not self._image.exists():
            self._make()
        self._store.mkdir(parents=True, exist_ok=True)
        if not self._store.is_mount():
            self._mount(self._store)
        memory.lay_out(self._store)

    def close(self) -> None:
        """Unmounts the camera's store, if it is mounted."""
        if self._store.is_mount():
            _run("umount", str(self._store))

    def check_free(self) -> bool:
        """Returns False: files are never copied in. Raises SimError when the bay is not free."""
        if self.mounted or (self.path.exists() and any(self.path.iterdir())):
            raise SimError(f"bay {self.path} is taken", hint="choose another --bay, or undock what is there")
        return False

    def dock(self, docked_at: str, *, held: Iterable[str] = ()) -> None:
        """Mounts the camera's filesystem on the bay."""
        self.check_free()
        self._hold_back(held)
        memory.drop_receipts(self._store)
        memory.introduce(self._store, self._wearer, docked_at)
        self.close()
        self.path.mkdir(exist_ok=True)
        self._mount(self.path)

    def undock(self) -> Path:
        """Syncs and unmounts it."""
        _run("sync", "--file-system", str(self.path))
        return self._leave()

    def shadow(self) -> Path:
        """Needs no copy: the image keeps what was written to it."""
        return self._image

    def yank(self, shadow: Path, erased: Iterable[str]) -> Path:
        """Unmounts it without a sync, while it is in use."""
        return self._leave()

    def _leave(self) -> Path:
        _run("umount", "--lazy", str(self.path))
        self.path.rmdir()
        return self._store

    def _make(self) -> None:
        self._image.parent.mkdir(parents=True, exist_ok=True)
        new = self._image.with_suffix(".new")
        with new.open("wb") as file:
            file.truncate(self._size)
        _run(*_MAKE[self._filesystem], str(new))
        new.rename(self._image)

    def _mount(self, point: Path) -> None:
        """Mounts the image on a loop device, which the kernel removes when it is unmounted."""
        self._await_let_go()
        device = _run("losetup", "--find", "--show", str(self._image)).strip()
        try:
            _run(*self._mounting(), device, str(point))
        finally:
            _run("losetup", "--detach", device)
        if not point.is_mount():
            raise SimError(f"{point}: is not mounted after the mount")

    def _await_let_go(self) -> None:
        """Waits until no loop device uses the image: mounted twice, it would be damaged."""
        end = time.monotonic() + _LET_GO_SECONDS
        while _run("losetup", "--associated", str(self._image)):
            if time.monotonic() >= end:
                raise SimError(f"{self._image} is still in use", hint="is it docked elsewhere? losetup --list tells")
            time.sleep(0.05)

    def _mounting(self) -> list[str]:
        """The mount command: with the kernel's exFAT if it has one, else with FUSE's."""
        with Path("/proc/filesystems").open() as known:
            native = any(line.split()[-1] == self._filesystem for line in known)
        if native or self._filesystem != "exfat":
            return ["mount", "-t", self._filesystem, "-o", _OPTIONS]
        if shutil.which("mount.exfat-fuse") is None:
            raise usage("this kernel has no exFAT", "apt install exfat-fuse, or --filesystem ext4")
        return ["mount.exfat-fuse", "-o", _OPTIONS]


def _run(*command: str) -> str:
    """Runs a command; returns its output. Raises SimError with its error output."""
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise usage(f"{command[0]} is not installed", f"apt install {_PACKAGE.get(command[0], command[0])}") from None
    except subprocess.CalledProcessError as failed:
        raise SimError(f"{command[0]} failed: {failed.stderr.strip().lower()}") from None
