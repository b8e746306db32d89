"""A camera's mount as a plain directory, and a reader process on it, asked about one clip."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.dock.camera.handle import ReaderHandle
from daemon.model.times import format_instant
from tests.kit.agency import CLIP, NOW, open_pem, signed, statement


@dataclass
class Mount:
    """`<bay>/`, as the contract lays it out, and a vault's staging directory beside it."""

    path: Path
    staging: Path

    def introduce(self, **changes: Any) -> None:
        self.path.mkdir(exist_ok=True)
        (self.path / "clips").mkdir(exist_ok=True)
        camera = {
            "schema": "bwc.camera/1",
            "serial": "cam-1",
            "model": "m",
            "firmware": "1",
            "officer_id": "officer",
            "docked_at": format_instant(NOW),
            "battery_percent": 50,
            "total_bytes": 10,
            "free_bytes": 5,
        }
        (self.path / "camera.json").write_text(json.dumps(camera | changes))

    def footage(self, stem: str = CLIP, data: bytes = b"footage") -> Path:
        path = self.path / "clips" / f"{stem}.mp4"
        path.write_bytes(data)
        return path

    def capture(self, stem: str = CLIP, **changes: Any) -> bytes:
        data = signed(statement("capture", **changes), "cam-1").to_bytes()
        (self.path / "clips" / f"{stem}.capture.json").write_bytes(data)
        return data

    def command(self, stem: str = CLIP, **changes: Any) -> dict[str, Any]:
        """What a dock asks the reader to do with this clip as it is now."""
        info = (self.path / "clips" / f"{stem}.mp4").lstat()
        self.staging.mkdir(exist_ok=True)
        return {
            "stem": stem,
            "footage": [info.st_size, info.st_mtime_ns, info.st_ctime_ns],
            "target": str(self.staging / "clip.sealed"),
            "clip_id": CLIP,
            "dock_id": "dock-1",
            "capture_sha256": None,
            "recipients": [open_pem("policy"), open_pem("recovery")],
            **changes,
        }


def capture(handle: ReaderHandle, stem: str = CLIP) -> bytes:
    """One clip's capture. Raises what is in its place."""
    found = handle.captures([stem])[stem]
    if isinstance(found, Exception):
        raise found
    return found


def seal(handle: ReaderHandle, command: dict[str, Any], progress: Callable[[int], None] | None = None) -> Any:
    """One clip, sealed. Raises what is in its place."""
    batch = handle.begin([command], progress or (lambda _: None))
    handle.written(batch)
    [answer] = handle.results(batch)
    if isinstance(answer, Exception):
        raise answer
    return answer


def receipt(handle: ReaderHandle, data: bytes, stem: str = CLIP) -> None:
    """One receipt, written. Raises why it was not."""
    failed = handle.receipts(handle.begin_receipts({stem: data}))
    if failed:
        raise failed[stem]
