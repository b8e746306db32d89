"""The parent's end of a camera's reader process: asks, waits with a deadline, kills what hangs."""

from __future__ import annotations

import base64
import errno
import itertools
import json
import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from daemon.dock.camera import process
from daemon.model.errors import BwcError, CameraReadError, NotDurableError, TamperedError, UnavailableError
from daemon.vault.space import disk_full

Message = dict[str, Any]


class ReaderGoneError(CameraReadError):
    """The reader process ended: the camera was unplugged, or the process was killed."""


class CameraHangsError(CameraReadError):
    """The camera does not answer; its reader may hang in the kernel. Not tried again until it is docked anew."""


_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["daemon.dock.camera.process", "click"]
)  # each process runs the program's main module again
_starting = threading.Lock()  # multiprocessing starts its fork server once, but not from two threads at a time


class Batch:
    """Clips being sealed together."""

    def __init__(self, number: int, progress: Callable[[int], None]) -> None:
        self.number = number
        self.progress = progress
        self.written = False
        self.answer: list[Message] | None = None


class ReaderHandle:
    """One camera's reader process. Used by one thread at a time."""

    def __init__(self, mount: Path, limits: Message, hang_seconds: float) -> None:
        """Raises ReaderGoneError when it cannot be started: the server that forks readers has just ended."""
        ours, theirs = _context.Pipe()
        self._pipe: Connection = ours
        self._hang_seconds = hang_seconds
        self._numbers = itertools.count()
        self._batches: dict[int, Batch] = {}
        self._answers: dict[int, Message] = {}
        self._process: BaseProcess = _context.Process(
            target=process.main, args=(theirs, str(mount), limits), daemon=True, name=f"bwc-reader {mount.name}"
        )
        try:
            with _starting:
                self._process.start()
        except (EOFError, OSError) as error:
            ours.close()
            raise ReaderGoneError(f"the camera's reader could not be started ({error})") from error
        finally:
            theirs.close()

    def scan(self) -> Message:
        """What is on the camera. Raises CameraReadError."""
        return self._ask({"do": "scan"})

    def captures(self, stems: list[str]) -> dict[str, bytes | CameraReadError]:
        """Clips' capture files, at most 64 KiB each, or why one cannot be read. Raises ReaderGoneError."""
        answers = self._ask({"do": "captures", "stems": stems})["captures"]
        return {stem: _data_or_error(answer) for stem, answer in answers.items()}

    def begin(self, commands: list[Message], progress: Callable[[int], None]) -> Batch:
        """Begins to seal clips; small ones together. `progress` hears how many of their bytes are read."""
        batch = Batch(next(self._numbers), progress)
        self._batches[batch.number] = batch
        self._send({"do": "seal", "id": batch.number, "clips": commands})
        return batch

    def written(self, batch: Batch) -> None:
        """Waits until the camera is free for the next batch. Raises ReaderGoneError."""
        self._until(lambda: batch.written)

    def results(self, batch: Batch) -> list[Message | Exception]:
        """Waits until they are sealed; each clip's answer, or in its place CameraReadError, DiskFullError,
        NotDurableError or TamperedError. Raises ReaderGoneError.
        """
        self._until(lambda: batch.answer is not None)
        del self._batches[batch.number]
        return [_error(answer) if "error" in answer else answer for answer in batch.answer or ()]

    def begin_receipts(self, receipts: dict[str, bytes]) -> int:
        """Begins to write receipts by their clips' stems; `receipts` waits for them. Raises ReaderGoneError."""
        given = {stem: base64.b64encode(data).decode() for stem, data in receipts.items()}
        return self._begin({"do": "receipts", "receipts": given})

    def receipts(self, number: int) -> dict[str, Exception]:
        """Waits until receipts are durable on the camera. Those that could not be written, and why. Raises
        ReaderGoneError.
        """
        answers = self._answer(number)["receipts"]
        return {stem: _error(answer) for stem, answer in answers.items() if "error" in answer}

    def erase(self, clips: dict[str, Message]) -> dict[str, BwcError]:
        """Deletes clips from the camera, durably there; each `{footage, sha256?}` as the reader's `erase` takes it.

        Those that were not: CameraReadError when what lies there is something else and was left alone,
        UnavailableError when deleting failed. Raises ReaderGoneError.
        """
        answers = self._ask({"do": "erase", "clips": clips})["erased"]
        return {stem: _error(answer) for stem, answer in answers.items() if "error" in answer}

    def pace(self, bytes_per_second: float) -> None:
        """From now on reads footage at most so fast; 0 is no limit."""
        self._send({"do": "pace", "bytes_per_second": bytes_per_second})

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

    def _ask(self, command: Message) -> Message:
        return self._answer(self._begin(command))

    def _begin(self, command: Message) -> int:
        number = next(self._numbers)
        self._send({"id": number, **command})
        return number

    def _answer(self, number: int) -> Message:
        self._until(lambda: number in self._answers)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise _error(answer)
        return answer

    def _send(self, command: Message) -> None:
        try:
            self._pipe.send_bytes(json.dumps(command).encode())
        except (EOFError, OSError):
            raise _gone() from None

    def _until(self, done: Callable[[], bool]) -> None:
        """Hears the reader out until `done`."""
        while not done():
            if not self._speaks():
                self._process.kill()
                raise CameraHangsError(f"the camera has not answered for {self._hang_seconds:g} seconds")
            try:
                self._hear(json.loads(self._pipe.recv_bytes()))
            except (EOFError, OSError):
                raise _gone() from None

    def _speaks(self) -> bool:
        """Waits in slices: when the whole dock was stopped for a while (SIGSTOP, a paused machine), that is no hang."""
        try:
            return any(self._pipe.poll(self._hang_seconds / 10) for _ in range(10))
        except (EOFError, OSError):
            raise _gone() from None

    def _hear(self, answer: Message) -> None:
        batch = self._batches.get(answer["id"])
        if "alive" in answer:
            return
        if batch is None:
            self._answers[answer["id"]] = answer
        elif "progress" in answer:
            batch.progress(answer["progress"])
        elif "written" in answer:
            batch.written = True
        elif "clips" in answer:
            batch.answer = answer["clips"]


def _gone() -> ReaderGoneError:
    return ReaderGoneError("the camera's reader ended: unplugged, or the reader was killed")


def _data_or_error(answer: Message) -> bytes | CameraReadError:
    if "error" not in answer:
        return base64.b64decode(answer["data"])
    error = _error(answer)
    return error if isinstance(error, CameraReadError) else CameraReadError(str(error))


def _error(answer: Message) -> BwcError:
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
