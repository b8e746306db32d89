"""The parent's end of a camera's reader process: asks, waits with a deadline, kills what hangs."""

from __future__ import annotations

import base64
import errno
import json
import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from daemon.dock import reader
from daemon.model.errors import CameraReadError, NotDurableError, TamperedError, UnavailableError
from daemon.vault.space import disk_full

Message = dict[str, Any]


class ReaderGoneError(CameraReadError):
    """The reader process ended: the camera was unplugged, or the process was killed."""


class CameraHangsError(CameraReadError):
    """The camera does not answer; its reader may hang in the kernel. Not tried again until it is docked anew."""


_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["daemon.dock.reader"])
_starting = threading.Lock()  # multiprocessing starts its fork server once, but not from two threads at a time


class ReaderHandle:
    """One camera's reader process. Used by one thread at a time."""

    def __init__(self, mount: Path, limits: Message, hang_seconds: float) -> None:
        ours, theirs = _context.Pipe()
        self._pipe: Connection = ours
        self._hang_seconds = hang_seconds
        self._process: BaseProcess = _context.Process(
            target=reader.main, args=(theirs, str(mount), limits), daemon=True, name=f"bwc-reader {mount.name}"
        )
        with _starting:
            self._process.start()
        theirs.close()

    def scan(self) -> Message:
        """What is on the camera. Raises CameraReadError."""
        return self._ask({"do": "scan"})

    def capture(self, stem: str) -> bytes:
        """A clip's capture file, at most 64 KiB. Raises CameraReadError."""
        return base64.b64decode(self._ask({"do": "capture", "stem": stem})["data"])

    def seal(self, command: Message, progress: Callable[[int], None]) -> Message:
        """Seals one clip. Raises CameraReadError, DiskFullError, NotDurableError, TamperedError."""
        return self._ask({"do": "seal", **command}, progress)

    def receipt(self, stem: str, data: bytes) -> None:
        """Writes a receipt, durable on the camera. Raises CameraReadError or UnavailableError."""
        self._ask({"do": "receipt", "stem": stem, "data": base64.b64encode(data).decode()})

    def kill(self) -> None:
        """Ends a read under way, from another thread: whoever waits for it gets ReaderGoneError."""
        self._process.kill()

    def close(self) -> None:
        """Ends the process. One that hangs in the kernel is left to end when its read does: it holds nothing."""
        self._pipe.close()
        self._process.join(0.5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(0.5)

    def _answers(self) -> bool:
        """Waits in slices: when the whole dock was stopped for a while (SIGSTOP, a paused machine), that is no hang."""
        return any(self._pipe.poll(self._hang_seconds / 10) for _ in range(10))

    def _ask(self, command: Message, progress: Callable[[int], None] | None = None) -> Message:
        try:
            self._pipe.send_bytes(json.dumps(command).encode())
            while True:
                if not self._answers():
                    self._process.kill()
                    raise CameraHangsError(f"the camera has not answered for {self._hang_seconds:g} seconds")
                answer: Message = json.loads(self._pipe.recv_bytes())
                if "progress" in answer:
                    if progress:
                        progress(answer["progress"])
                    continue
                break
        except (EOFError, OSError):
            raise ReaderGoneError("the camera's reader ended: unplugged, or the reader was killed") from None
        if "error" in answer:
            raise _error(answer)
        return answer


def _error(answer: Message) -> Exception:
    message = answer["message"]
    match answer["error"]:
        case "NotDurableError":
            return NotDurableError(message)
        case "TamperedError":
            return TamperedError(message)
        case "UnavailableError":
            return UnavailableError(message)
        case "OSError" if answer["errno"] in {errno.ENOSPC, errno.EDQUOT}:
            return disk_full()
        case "OSError":
            return NotDurableError(f"writing the sealed file failed: {message}")
        case _:
            return CameraReadError(message)
