"""Putting a camera into a bay and taking it out again.

A camera appears in a bay by one rename. If the bay exists already (an empty directory, or a mounted filesystem), its
files are copied into it instead, each clip's capture last.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from device_sim.camera import footage, memory
from device_sim.camera.recording import Wearer
from device_sim.errors import SimError, usage

_STEPS = 20


class Bay:
    """One bay, and the camera that is docked in it. `store` is the camera's memory while it is undocked."""

    def __init__(self, mounts: Path, name: str, wearer: Wearer, store: Path) -> None:
        self.path = mounts / name
        self._wearer = wearer
        self._store = store
        # beside the mounts, not in them: no incomplete folder may look like a bay, and a rename needs one filesystem
        self._beside = mounts.parent / f".bwc-sim-{wearer.serial}"
        self._in_place = False
        if not mounts.is_dir():
            raise usage(f"no directory {mounts}", "create it, or name the dock's mounts with --mounts")

    @property
    def mounted(self) -> bool:
        """Whether a filesystem is mounted on the bay."""
        return self.path.is_mount()

    def open(self) -> None:
        """Makes the camera's memory ready to be written, at its store."""
        memory.lay_out(self._store)

    def close(self) -> None:
        """Ends what `open` began. Here there is nothing to do; LoopBay unmounts the store."""

    def check_free(self) -> bool:
        """Whether the bay exists, so that files are copied into it. Raises SimError when another camera is there."""
        if not self.path.exists():
            return False
        if self.mounted or not any(self.path.iterdir()):
            return True
        try:
            docked = json.loads((self.path / "camera.json").read_bytes())["serial"]
        except (OSError, ValueError, KeyError, TypeError):
            docked = "something that is no camera"
        if docked != self._wearer.serial:
            raise SimError(f"bay {self.path} is taken by {docked}", hint="choose another --bay, or undock it")
        return True

    def dock(self, docked_at: str, *, held: Iterable[str] = ()) -> None:
        """Docks the camera. Clips in `held` come with half of their footage; `let_grow` brings the rest."""
        in_place = self.check_free()
        self._hold_back(held)
        if in_place:
            self._in_place = not (self.path / "camera.json").exists()
            self._copy_in(docked_at)
            return
        memory.drop_receipts(self._store)
        memory.introduce(self._store, self._wearer, docked_at)
        self._appear()

    def _appear(self) -> None:
        try:
            self._store.rename(self.path)
        except OSError as failed:
            if failed.errno != errno.EXDEV:
                raise SimError(f"cannot dock at {self.path}", hint=(failed.strerror or "").lower()) from failed
            arriving = self._fresh("arriving")
            shutil.copytree(self._store, arriving)
            arriving.rename(self.path)
            shutil.rmtree(self._store)
        footage.sync_folder(self.path.parent)

    def _fresh(self, what: str) -> Path:
        path = self._beside.with_name(f"{self._beside.name}.{what}")
        shutil.rmtree(path, ignore_errors=True)
        return path

    def _copy_in(self, docked_at: str) -> None:
        memory.lay_out(self.path)
        clips, target = self._store / "clips", self.path / "clips"
        for video in sorted(clips.glob("*.mp4")):
            footage.copy(video, target / video.name)
        memory.introduce(self.path, self._wearer, docked_at)
        for capture in sorted(clips.glob("*.capture.json")):
            footage.write_durably(target / capture.name, capture.read_bytes())
        shutil.rmtree(self._store)

    def _hold_back(self, held: Iterable[str]) -> None:
        for clip_id in held:
            self._beside.mkdir(exist_ok=True)
            for name in (f"{clip_id}.mp4", f"{clip_id}.capture.json"):
                if (self._store / "clips" / name).exists():
                    (self._store / "clips" / name).rename(self._beside / name)
            whole = self._beside / f"{clip_id}.mp4"
            with whole.open("rb") as source, (self._store / "clips" / whole.name).open("wb") as target:
                target.write(source.read(whole.stat().st_size // 2))

    def let_grow(self, held: list[str], seconds: float, until: float | None = None) -> None:
        """Adds the rest of each held clip during `seconds`, then its capture. Stops at `until` (monotonic seconds)."""
        for clip_id in held:
            whole = self._beside / f"{clip_id}.mp4"
            if not _append(whole, self.path / "clips" / whole.name, seconds, until):
                break
            capture = self._beside / f"{clip_id}.capture.json"
            if capture.exists():
                footage.write_durably(self.path / "clips" / capture.name, capture.read_bytes())
        shutil.rmtree(self._beside, ignore_errors=True)

    def undock(self) -> Path:
        """Takes the camera out and moves its memory back to its store; returns where the memory is.

        If a filesystem is mounted on the bay, it stays there: it is the memory.
        """
        if self.mounted:
            return self.path
        self._remember(self._vanish())
        return self._store

    def _vanish(self) -> Path:
        """Removes the camera from the bay by one rename. A bay that existed before the camera stays, empty."""
        leaving = self._fresh("leaving")
        self.path.rename(leaving)
        if self._in_place:
            self.path.mkdir()
        return leaving

    def _remember(self, contents: Path) -> None:
        shutil.rmtree(self._store, ignore_errors=True)
        self._store.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(contents, self._store)

    def shadow(self) -> Path:
        """Copies the memory, so that `yank` can destroy the files in the bay. Returns the copy."""
        copy = self._fresh("shadow")
        shutil.copytree(self._store if self._store.exists() else self.path, copy)
        return copy

    def yank(self, shadow: Path, erased: Iterable[str]) -> Path:
        """Pulls the camera out at once. A program that still reads gets to the end of the file, as on a real device.

        `shadow` becomes the camera's memory, without the clips in `erased`.
        """
        if self.mounted:
            raise usage(f"{self.path} is a mounted filesystem", "unmount it instead: umount --lazy")
        gone = self._vanish()
        for clip in (gone / "clips").iterdir():
            os.truncate(clip, 0)
        shutil.rmtree(gone)
        for clip_id in erased:
            memory.erase(shadow, clip_id)
        self._remember(shadow)
        return self._store


def _append(whole: Path, target: Path, seconds: float, until: float | None) -> bool:
    """Whether the file is complete now."""
    with whole.open("rb") as source, target.open("ab") as file:
        source.seek(file.tell())
        step = max(1, -(-(whole.stat().st_size - file.tell()) // _STEPS))
        while chunk := source.read(step):
            if until is not None and time.monotonic() >= until:
                return False
            file.write(chunk)
            file.flush()
            time.sleep(seconds / _STEPS)
        os.fsync(file.fileno())
    return True
