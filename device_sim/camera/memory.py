"""A camera's memory: the folder into which it records, and an index of its clips.

`<store>/` has the files that the mount will have. `<store>.json` beside it is the camera's own index; a dock never sees
it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from device_sim.camera import footage
from device_sim.camera.recording import Clip, Wearer
from device_sim.errors import usage

TOTAL_BYTES = 64_000_000_000


class Memory:
    """The index of the clips. Every change is written to disk at once. Raises SimError when it cannot be read."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self._index = store.with_name(f"{store.name}.json")
        self.clips: dict[str, Clip] = {}
        try:
            if self._index.exists():
                self.clips = {name: Clip(**clip) for name, clip in json.loads(self._index.read_bytes()).items()}
        except (ValueError, TypeError, AttributeError) as bad:
            raise usage(f"cannot read the camera's memory {self._index}", "remove it to begin again") from bad

    def remember(self, clip: Clip) -> None:
        """Adds a clip, durably."""
        self.clips[clip.clip_id] = clip
        self._save()

    def forget(self, clip_id: str) -> None:
        """Removes a clip that was erased, durably."""
        self.clips.pop(clip_id, None)
        self._save()

    def _save(self) -> None:
        raw = json.dumps({name: clip.as_dict() for name, clip in self.clips.items()}, indent=1)
        footage.write_durably(self._index, raw.encode())


def lay_out(folder: Path) -> None:
    """Creates the directories of a camera's mount."""
    for part in ("clips", "receipts"):
        (folder / part).mkdir(parents=True, exist_ok=True)


def introduce(folder: Path, wearer: Wearer, docked_at: str) -> None:
    """Writes `camera.json`, which says whose camera it is."""
    used = sum(clip.stat().st_size for clip in (folder / "clips").glob("*.mp4"))
    document = {
        "schema": "bwc.camera/1",
        "serial": wearer.serial,
        "model": wearer.model,
        "firmware": wearer.firmware,
        "officer_id": wearer.officer_id,
        "docked_at": docked_at,
        "battery_percent": 20 + sum(wearer.serial.encode()) % 60,
        "total_bytes": max(TOTAL_BYTES, used),
        "free_bytes": max(TOTAL_BYTES - used, 0),
    }
    footage.write_durably(folder / "camera.json", json.dumps(document, indent=1).encode())


def erase(folder: Path, clip_id: str) -> None:
    """Erases a clip: first the footage, then the capture. A dock ignores a capture alone, but not footage alone."""
    for name in (f"{clip_id}.mp4", f"{clip_id}.capture.json"):
        (folder / "clips" / name).unlink(missing_ok=True)
    footage.sync_folder(folder / "clips")


def drop_receipts(folder: Path) -> None:
    """Removes all receipts: each docking must give its own."""
    shutil.rmtree(folder / "receipts", ignore_errors=True)
    lay_out(folder)
