"""Taking clips in, in one thread of one process: the daemon's own functions without a broker, so that the Nth call of
a kind is the same call every time and can be made to fail.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from daemon.core.pacing import at_full_speed
from daemon.dock.camera import byte_path, safe_open
from daemon.dock.camera.handle import errors_of, results_of
from daemon.dock.camera.messages import (
    BatchSealed,
    CapturesRead,
    Command,
    Erase,
    ErasedFiles,
    EraseRequest,
    Failed,
    Failure,
    ReadCaptures,
    ReaderLimits,
    ReceiptsWritten,
    Scan,
    Scanned,
    SealClips,
    SealRequest,
    SealResult,
    WriteReceipts,
    answer_bytes,
    command_bytes,
    parse_answer,
    parse_command,
)
from daemon.dock.camera.mounts import Docked, plain
from daemon.dock.camera.process import CameraFiles
from daemon.dock.camera.reader import Reader, SealBatch
from daemon.dock.camera.sealer import check_batch, write_batch
from daemon.dock.camera.slots import Slot
from daemon.dock.context import Transaction
from daemon.dock.ingest.bay import BayThread
from daemon.dock.loop import StoppedError
from daemon.dock.service import DockService, as_call
from daemon.model.clock import Clock, SystemClock
from daemon.model.config import DockConfig, load_config
from daemon.model.documents import Bay
from daemon.model.errors import BwcError, CameraReadError, NotDurableError, TamperedError

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")
LIMITS = ReaderLimits(max_clips=1000, max_clip_bytes=1 << 30)
CLOSING = "/closing"
"""Looked up (it does not exist) when everything is done but for closing the database: a mark in a trace."""


class Halt(BaseException):
    """The service's loop has failed: nothing below it may go on, as when its thread has ended."""


class InlineReader:
    """A Reader whose code is called instead of asked; a batch is written and read back before the next begins.

    What goes in and out is put into words and parsed again, as on the pipe.
    """

    def __init__(
        self, mount: Path, limits: ReaderLimits = LIMITS, hang_seconds: float = 0.0, slots: list[Slot] | None = None
    ) -> None:
        self._mount = os.open(mount, os.O_RDONLY | os.O_DIRECTORY)
        self._camera = CameraFiles(self._mount, limits)
        self._slots = slots or byte_path.make_slots()
        self._receipts: list[ReceiptsWritten] = []
        self._batches = 0

    def scan(self) -> Scanned:
        return self._ask(Scan(0), Scanned)

    def captures(self, stems: Sequence[str]) -> dict[str, bytes | CameraReadError]:
        answer = self._ask(ReadCaptures(0, tuple(stems)), CapturesRead)
        return {stem: _data_or_error(said) for stem, said in answer.captures.items()}

    def begin(self, requests: Sequence[SealRequest], progress: Callable[[int], None]) -> SealBatch:
        self._batches += 1
        command = _again(SealClips(self._batches, tuple(requests)))
        assert isinstance(command, SealClips)
        begun = write_batch(command.clips, self._camera.open_footage, self._slots, progress, at_full_speed)
        results = check_batch(begun, self._slots, lambda: None)
        answer = parse_answer(answer_bytes(BatchSealed(command.id, results)))
        assert isinstance(answer, BatchSealed)
        return SealBatch(command.id, len(requests), progress, written=True, results=answer.clips)

    def await_written(self, batch: SealBatch) -> None:
        assert batch.written

    def await_results(self, batch: SealBatch) -> list[SealResult | BwcError]:
        return results_of(batch)

    def begin_receipts(self, receipts: Mapping[str, bytes]) -> int:
        self._receipts.append(self._ask(WriteReceipts(0, dict(receipts)), ReceiptsWritten))
        return len(self._receipts) - 1

    def await_receipts(self, number: int) -> dict[str, BwcError]:
        return errors_of(self._receipts[number].failed)

    def erase(self, clips: Mapping[str, EraseRequest]) -> dict[str, BwcError]:
        return errors_of(self._ask(Erase(0, dict(clips)), ErasedFiles).failed)

    def set_pace(self, bytes_per_second: float) -> None:
        pass

    def kill(self) -> None:
        pass

    def close(self) -> None:
        safe_open.close(self._mount)

    def _ask(self, command: Scan | ReadCaptures | WriteReceipts | Erase, expected: type[A]) -> A:
        heard = _again(command)
        assert isinstance(heard, Scan | ReadCaptures | WriteReceipts | Erase)
        answer = parse_answer(answer_bytes(self._camera.answer(heard)))
        if isinstance(answer, Failed):
            raise answer.failure.to_error()
        assert isinstance(answer, expected)
        return answer


def _again(command: Command) -> Command:
    return parse_command(command_bytes(command))


def _data_or_error(answer: bytes | Failure) -> bytes | CameraReadError:
    if isinstance(answer, bytes):
        return answer
    error = answer.to_error()
    assert isinstance(error, CameraReadError)
    return error


class InlineService(DockService):
    """The loop's steps, taken by whoever asks."""

    def run_in_transaction(
        self, decide: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        call = as_call(decide, *args, **kwargs)
        try:
            self.step([call])
        except BaseException as error:
            raise Halt from error
        result: T = call.future.result(0)
        return result

    def show(self, identity: str, bay: Bay) -> None:
        pass

    def finish(self) -> None:
        """Once or again."""
        if self.lock_fd >= 0:
            os.close(self.lock_fd)
            self.lock_fd = -1
        self.dock.store.close()

    def bay(self, docked: Docked, unseen: float = 0.0, helper: Executor | None = None, **options: Any) -> InlineBay:
        """A bay of this dock that looks when told to."""
        return InlineBay(
            self.ledger, docked, self.read_turns, unseen, open_reader=InlineReader, helper=helper or AtOnce(), **options
        )


class AtOnce(Executor):
    """Does what it is given before it returns; when the service's loop has failed, nothing goes on."""

    def submit(self, work: Callable[..., T], /, *given: Any, **named: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(work(*given, **named))
        except Exception as error:  # noqa: BLE001 - whoever waits for it gets it
            future.set_exception(error)
        return future


class InlineBay(BayThread):
    """A bay that looks when told to."""

    def state_after(self, reader: Reader) -> str:
        """Looks once; the bay's state after. What would stop the dock is raised."""
        try:
            self.look(reader)
        except (NotDurableError, TamperedError, StoppedError):
            raise
        except Exception as error:
            if isinstance(error, CameraReadError):
                return "failed"
            raise BayFailedError from error
        last = self.progress.shown
        return last.state if last else "empty"


class BayFailedError(Exception):
    """An error nobody expected: the bay would stop, the dock would not."""


def ingest(service: InlineService, looks: int = 8) -> bool:
    """Brings everything docked as far as it goes; whether all of it has a receipt.

    A bay that fails is docked anew once: its dock has not stopped, and goes on from whatever was left.
    """
    return all([_serve(service, docked, looks) for docked in plain(service.dock.config.mounts).values()])


def _serve(service: InlineService, docked: Docked, looks: int) -> bool:
    for _ in range(2):
        bay = service.bay(docked)
        try:
            reader = InlineReader(docked.path, ReaderLimits(max_clips=100, max_clip_bytes=1 << 30))
            for _ in range(looks):
                if bay.state_after(reader) == "done":
                    return True
                time.sleep(service.dock.config.ingest.settle_seconds * 1.1)
        except BayFailedError as failed:
            traceback.print_exception(failed.__cause__)
        except OSError as error:  # the camera's own trouble, before there is a reader
            traceback.print_exception(error)
    return False


def main(config: str, traced: bool = False, checkpoint_pages: int = 0, clock: Clock | None = None) -> None:
    """One start, everything that is docked, one end. Raises what stops it; exits 5 when something has no receipt."""
    settings = load_config(DockConfig, Path(config))
    if traced:
        _await_tracer()
    service = InlineService(settings, clock or SystemClock())
    if checkpoint_pages:
        service.dock.store.db.execute(f"PRAGMA wal_autocheckpoint = {checkpoint_pages}")
    try:
        service.recover()
        done = ingest(service)
    except Halt as halt:
        assert halt.__cause__ is not None
        raise halt.__cause__ from None
    os.access(CLOSING, os.F_OK)
    service.finish()
    if not done:
        os._exit(5)


def _await_tracer() -> None:
    end = time.monotonic() + 20
    while "TracerPid:\t0\n" in Path("/proc/self/status").read_text():
        assert time.monotonic() < end, "no tracer came"
        time.sleep(0.001)
