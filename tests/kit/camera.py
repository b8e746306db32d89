"""A camera's mount as a plain directory, and a reader process on it, asked about one clip."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from daemon.core.settle import FileStat
from daemon.dock.camera.messages import ReaderLimits, SealRequest, SealResult, SealTarget
from daemon.dock.camera.reader import Reader
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

    def request(self, stem: str = CLIP, target: Path | None = None, capture_sha256: str | None = None) -> SealRequest:
        """What a dock asks the reader to do with this clip as it is now."""
        info = (self.path / "clips" / f"{stem}.mp4").lstat()
        self.staging.mkdir(exist_ok=True)
        recipients = (open_pem("policy"), open_pem("recovery"))
        path = str(target or self.staging / "clip.sealed")
        footage = FileStat(info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        return SealRequest(stem, footage, SealTarget(path, CLIP, "dock-1", capture_sha256, recipients))


def capture(reader: Reader, stem: str = CLIP) -> bytes:
    """One clip's capture. Raises what is in its place."""
    found = reader.captures([stem])[stem]
    if isinstance(found, Exception):
        raise found
    return found


def seal(reader: Reader, request: SealRequest, progress: Callable[[int], None] | None = None) -> SealResult:
    """One clip, sealed. Raises what is in its place."""
    batch = reader.begin([request], progress or (lambda _: None))
    reader.await_written(batch)
    [answer] = reader.await_results(batch)
    if isinstance(answer, Exception):
        raise answer
    return answer


def receipt(reader: Reader, data: bytes, stem: str = CLIP) -> None:
    """One receipt, written. Raises why it was not."""
    failed = reader.await_receipts(reader.begin_receipts({stem: data}))
    if failed:
        raise failed[stem]


def babble(pipe: Connection, words: str, _: ReaderLimits) -> None:
    """A reader that a camera has taken over: to the first command it says what lies in the file `words`, and waits."""
    pipe.recv_bytes()
    pipe.send_bytes(Path(words).read_bytes())
    pipe.recv_bytes()
