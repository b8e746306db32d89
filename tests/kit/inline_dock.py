"""Taking clips in, in one thread of one process: the daemon's own functions without a broker, so that the Nth call of
a kind is the same call every time and can be made to fail.
"""

from __future__ import annotations

import itertools
import json
import os
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, TypeVar

from daemon.core.pace import at_full_speed
from daemon.dock import recovery
from daemon.dock.camera import byte_path, handle, process, safe_open
from daemon.dock.camera.handle import Batch, ReaderHandle
from daemon.dock.camera.mounts import Docked, plain
from daemon.dock.camera.sealer import check_batch, write_batch
from daemon.dock.camera.slots import Slot
from daemon.dock.ingest.bay import BayThread
from daemon.dock.loop import StoppedError
from daemon.dock.service import DockService
from daemon.model.clock import Clock, SystemClock
from daemon.model.config import DockConfig, load_config
from daemon.model.documents import Bay
from daemon.model.errors import CameraReadError, NotDurableError, TamperedError

T = TypeVar("T")
CLOSING = "/closing"
"""Looked up (it does not exist) when everything is done but for closing the database: a mark in a trace."""


class Halt(BaseException):
    """The service's loop has failed: nothing below it may go on, as when its thread has ended."""


class InlineHandle(ReaderHandle):
    """The reader's code, called instead of asked; a batch is written and read back before the next begins."""

    def __init__(self, mount: Path, limits: dict[str, Any], slots: list[Slot] | None = None) -> None:
        self._mount = os.open(mount, os.O_RDONLY | os.O_DIRECTORY)
        self._reader = process.Reader(self._mount, limits)
        self._slots = slots or byte_path.make_slots()
        self._batches: dict[int, Batch] = {}
        self._numbers = itertools.count()
        self._answers: dict[int, dict[str, Any]] = {}

    def begin(self, commands: list[dict[str, Any]], progress: Callable[[int], None]) -> Batch:
        batch = Batch(len(self._batches), progress)
        given = json.loads(json.dumps(commands))
        begun = write_batch(given, self._reader.open_footage, self._slots, progress, at_full_speed)
        batch.written, batch.answer = True, json.loads(json.dumps(check_batch(begun, self._slots, lambda: None)))
        self._batches[batch.number] = batch
        return batch

    def close(self) -> None:
        safe_open.close(self._mount)

    def results(self, batch: Batch) -> list[dict[str, Any] | Exception]:
        return [handle._error(answer) if "error" in answer else answer for answer in batch.answer or ()]

    def _send(self, command: dict[str, Any]) -> None:
        answer = self._reader.answer(json.loads(json.dumps(command)))
        self._answers[command["id"]] = json.loads(json.dumps(answer))

    def _until(self, done: Callable[[], bool]) -> None:
        assert done()


class InlineService(DockService):
    """The loop's steps, taken by whoever asks."""

    def call(self, decide: Callable[[], T]) -> T:
        item = self._as_call(decide)
        try:
            self._step([item])
        except BaseException as error:
            raise Halt from error
        result: T = item.future.result(0)
        return result

    def show(self, identity: str, bay: Bay) -> None:
        pass

    def start(self) -> None:
        self._step([self._as_call(lambda: recovery.recover(self._dock))])

    def finish(self) -> None:
        """Once or again."""
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1
        self._dock.store.close()


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

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._helper = AtOnce()

    def look(self, handle: ReaderHandle) -> str:
        """Looks once; the bay's state after. What would stop the dock is raised."""
        try:
            self._look(handle)
        except (NotDurableError, TamperedError, StoppedError):
            raise
        except Exception as error:
            if isinstance(error, CameraReadError):
                return "failed"
            raise BayFailedError from error
        last = self._standing._last
        return last.state if last else "empty"


class BayFailedError(Exception):
    """An error nobody expected: the bay would stop, the dock would not."""


def ingest(service: InlineService, looks: int = 8) -> bool:
    """Brings everything docked as far as it goes; whether all of it has a receipt.

    A bay that fails is docked anew once: its dock has not stopped, and goes on from whatever was left.
    """
    return all([_serve(service, docked, looks) for docked in plain(service._dock.config.mounts).values()])


def _serve(service: InlineService, docked: Docked, looks: int) -> bool:
    for _ in range(2):
        bay = InlineBay(service._dock, service, docked, service._turns)
        try:
            handle = InlineHandle(docked.path, {"max_clips": 100, "max_clip_bytes": 1 << 30})
            for _ in range(looks):
                if bay.look(handle) == "done":
                    return True
                time.sleep(service._dock.config.ingest.settle_seconds * 1.1)
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
        service._dock.store.db.execute(f"PRAGMA wal_autocheckpoint = {checkpoint_pages}")
    try:
        service.start()
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
