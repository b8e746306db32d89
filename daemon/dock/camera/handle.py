"""The parent's end of a camera's reader process: asks, waits with a deadline, kills what hangs."""

from __future__ import annotations

import itertools
import multiprocessing
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from daemon.dock.camera import process
from daemon.dock.camera.messages import (
    Alive,
    Answer,
    BatchSealed,
    CapturesRead,
    Command,
    Erase,
    ErasedFiles,
    EraseRequest,
    Failed,
    Failure,
    Progress,
    ReadCaptures,
    ReaderLimits,
    ReceiptsWritten,
    Scan,
    Scanned,
    SealClips,
    SealRequest,
    SealResult,
    SetPace,
    WriteReceipts,
    Written,
    command_bytes,
    parse_answer,
)
from daemon.dock.camera.reader import CameraUnusableError, ReaderGoneError, SealBatch
from daemon.model.errors import BwcError, CameraReadError

A = TypeVar("A", bound=Answer)

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["daemon.dock.camera.process", "click"])  # each process runs the program's main module
_starting = threading.Lock()  # multiprocessing starts its fork server once, but not from two threads at a time


class ReaderHandle:
    """One camera's reader process: daemon.dock.camera.reader.Reader for real."""

    def __init__(
        self,
        mount: Path,
        limits: ReaderLimits,
        hang_seconds: float,
        serve: Callable[[Connection, str, ReaderLimits], None] = process.main,
    ) -> None:
        """A reader that says nothing for `hang_seconds` counts as a camera that hangs. `serve` is what it runs.

        Raises ReaderGoneError when it cannot be started: the server that forks readers has just ended.
        """
        ours, theirs = _context.Pipe()
        self._pipe: Connection = ours
        self.hang_seconds = hang_seconds
        self._numbers = itertools.count()
        self._batches: dict[int, SealBatch] = {}
        self._awaited: set[int] = set()
        self._answers: dict[int, Answer] = {}
        self.process: BaseProcess = _context.Process(
            target=serve, args=(theirs, str(mount), limits), daemon=True, name=f"bwc-reader {mount.name}"
        )
        try:
            with _starting:
                self.process.start()
        except (EOFError, OSError) as error:
            ours.close()
            raise ReaderGoneError(f"the camera's reader could not be started ({error})") from error
        finally:
            theirs.close()

    def scan(self) -> Scanned:
        """See Reader."""
        return self._ask(Scan(next(self._numbers)), Scanned)

    def captures(self, stems: Sequence[str]) -> dict[str, bytes | CameraReadError]:
        """See Reader."""
        answer = self._ask(ReadCaptures(next(self._numbers), tuple(stems)), CapturesRead)
        return {stem: _data_or_error(said) for stem, said in answer.captures.items()}

    def begin(self, requests: Sequence[SealRequest], progress: Callable[[int], None]) -> SealBatch:
        """See Reader."""
        batch = SealBatch(next(self._numbers), len(requests), progress)
        self._batches[batch.number] = batch
        self._send(SealClips(batch.number, tuple(requests)))
        return batch

    def await_written(self, batch: SealBatch) -> None:
        """See Reader."""
        self._until(lambda: batch.written)

    def await_results(self, batch: SealBatch) -> list[SealResult | BwcError]:
        """See Reader."""
        self._until(lambda: batch.results is not None)
        del self._batches[batch.number]
        results = results_of(batch)
        if len(results) != batch.size:
            raise self._unusable(f"the camera's reader answered for {len(results)} clips of {batch.size}")
        return results

    def begin_receipts(self, receipts: Mapping[str, bytes]) -> int:
        """See Reader."""
        number = next(self._numbers)
        self._awaited.add(number)
        self._send(WriteReceipts(number, dict(receipts)))
        return number

    def await_receipts(self, number: int) -> dict[str, BwcError]:
        """See Reader."""
        return errors_of(self._answer(number, ReceiptsWritten).failed)

    def erase(self, clips: Mapping[str, EraseRequest]) -> dict[str, BwcError]:
        """See Reader."""
        return errors_of(self._ask(Erase(next(self._numbers), dict(clips)), ErasedFiles).failed)

    def set_pace(self, bytes_per_second: float) -> None:
        """See Reader."""
        self._send(SetPace(bytes_per_second))

    def kill(self) -> None:
        """See Reader."""
        self.process.kill()

    def close(self) -> None:
        """Ends the process. One that hangs in the kernel ends when its read does, and holds nothing of ours."""
        self._pipe.close()
        self.process.join(0.5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join(0.5)

    def _ask(self, command: Scan | ReadCaptures | Erase, expected: type[A]) -> A:
        self._awaited.add(command.id)
        self._send(command)
        return self._answer(command.id, expected)

    def _answer(self, number: int, expected: type[A]) -> A:
        self._until(lambda: number in self._answers)
        answer = self._answers.pop(number)
        if isinstance(answer, Failed):
            raise answer.failure.to_error()
        if not isinstance(answer, expected):
            raise self._unusable(f"the camera's reader answered {type(answer).__name__} for {expected.__name__}")
        return answer

    def _send(self, command: Command) -> None:
        try:
            self._pipe.send_bytes(command_bytes(command))
        except (EOFError, OSError):
            raise _gone() from None

    def _until(self, done: Callable[[], bool]) -> None:
        """Takes what the reader says, until `done`."""
        while not done():
            if not self._speaks():
                raise self._unusable(f"the camera has not answered for {self.hang_seconds:g} seconds")
            try:
                answer = parse_answer(self._pipe.recv_bytes())
            except ValidationError:
                raise self._unusable("the camera's reader said something that is no answer") from None
            except (EOFError, OSError):
                raise _gone() from None
            self._hear(answer)

    def _speaks(self) -> bool:
        """Waits in slices: when the whole dock was stopped for a while (SIGSTOP, a paused machine), that is no hang."""
        try:
            return any(self._pipe.poll(self.hang_seconds / 10) for _ in range(10))
        except (EOFError, OSError):
            raise _gone() from None

    def _hear(self, answer: Answer) -> None:
        batch = self._batches.get(answer.id)
        match answer:
            case Alive():
                pass
            case Progress() if batch is not None:
                batch.progress(answer.done)
            case Written() if batch is not None:
                batch.written = True
            case BatchSealed() if batch is not None:
                batch.results = answer.clips
            case _ if answer.id in self._awaited:
                self._awaited.remove(answer.id)
                self._answers[answer.id] = answer
            case _:
                raise self._unusable("the camera's reader answered what nobody had asked")

    def _unusable(self, why: str) -> CameraUnusableError:
        self.process.kill()
        return CameraUnusableError(why)


def results_of(batch: SealBatch) -> list[SealResult | BwcError]:
    """A finished batch's results, failures as errors."""
    return [result.to_error() if isinstance(result, Failure) else result for result in batch.results or ()]


def errors_of(failed: Mapping[str, Failure]) -> dict[str, BwcError]:
    """What failed, by stem, as errors."""
    return {stem: failure.to_error() for stem, failure in failed.items()}


def _gone() -> ReaderGoneError:
    return ReaderGoneError("the camera's reader ended: unplugged, or the reader was killed")


def _data_or_error(answer: bytes | Failure) -> bytes | CameraReadError:
    if isinstance(answer, bytes):
        return answer
    error = answer.to_error()
    return error if isinstance(error, CameraReadError) else CameraReadError(str(error))
