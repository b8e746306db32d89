"""One bay with a camera in it: a thread that scans the camera and brings its clips on their way."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import datetime

from daemon.core.skew import docking_skew
from daemon.dock.camera.handle import ReaderHandle
from daemon.dock.camera.messages import Failure, ReaderLimits, Scanned
from daemon.dock.camera.mounts import Docked
from daemon.dock.camera.reader import CameraUnusableError, OpenReader, Reader, ReaderGoneError
from daemon.dock.ingest.bay_progress import BayProgress
from daemon.dock.ingest.camera_clips import WINDOW, WRITING, CameraClips
from daemon.dock.ingest.docking import Docking
from daemon.dock.ingest.ledger import IngestLedger
from daemon.dock.ingest.read_turns import ReadTurns
from daemon.dock.loop import StoppedError
from daemon.model.documents import Camera
from daemon.model.errors import CameraReadError, NotDurableError, TamperedError, VerificationError
from daemon.model.parse import parse_model

log = logging.getLogger(__name__)
_COMMITTING = 2
"""How many batches of one docking are committed at once: while one waits for the medium, another is worked on."""


class BayThread:
    """Looks at one docked camera again and again, until it is undocked."""

    def __init__(
        self,
        ledger: IngestLedger,
        docked: Docked,
        turns: ReadTurns,
        unseen: float = 0.0,
        *,
        open_reader: OpenReader = ReaderHandle,
        helper: Executor | None = None,
        window: int = WINDOW,
    ) -> None:
        """`unseen`: for how many seconds before nobody looked whether a camera was docked.

        `open_reader` opens a camera; `helper` commits batches beside the thread (its own pool of two, where none is
        given); `window` captures are read ahead.
        """
        self._ledger = ledger
        self._docked = docked
        self._turns = turns
        self._unseen = unseen
        self._open_reader = open_reader
        self._helper = helper or ThreadPoolExecutor(_COMMITTING, f"bay {docked.bay}, committing")
        self._window = window
        self._settings = ledger.settings
        self._stopping = threading.Event()
        self._hint = threading.Event()
        self.progress = BayProgress(docked.bay, lambda bay: ledger.show(docked.identity, bay))
        self._reader: Reader | None = None
        self._clips: CameraClips | None = None
        self._docking: tuple[str, datetime] | None = None
        self._thread = threading.Thread(target=self._run, name=f"bay {docked.bay}", daemon=True)

    @property
    def identity(self) -> str:
        """What is docked; another camera, or the same docked again, has another."""
        return self._docked.identity

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def wake(self) -> None:
        """Something changed (an acknowledgement, a correction): look again now."""
        self._hint.set()

    def stop(self) -> None:
        """Undocked, or the service stops: the reader is killed. Returns at once; `join` waits."""
        self._stopping.set()
        self._hint.set()
        reader = self._reader
        if reader is not None:
            reader.kill()

    def join(self, timeout: float) -> None:
        """Waits for its end, `timeout` seconds at most."""
        self._thread.join(timeout)

    def look(self, reader: Reader) -> bool:
        """One scan, and every clip brought as far as it goes. Returns whether to look again soon."""
        try:
            scanned = reader.scan()
        except (ReaderGoneError, CameraUnusableError):
            raise
        except CameraReadError as error:
            self._report(error)
            return False
        clips = self._identify(scanned)
        if clips is None:
            return False
        clips.forget_missing({found.stem for found in scanned.clips})
        for found in scanned.clips:
            clips.observe(found)
        reasons = clips.work(reader, self._stopping.is_set)
        if self._stopping.is_set():
            return False
        self.progress.set("waiting" if reasons else "done", "; ".join(sorted(reasons)[:3]) or clips.kept_reason)
        return WRITING in reasons

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    self._serve_reader()
                except ReaderGoneError as error:
                    self._report(error)
                self._stopping.wait(self._settings.scan_seconds)
        except CameraUnusableError as error:
            self._report(error)
        except (NotDurableError, TamperedError) as error:  # the vault's medium cannot be relied on: stop everything
            self._ledger.fail(error)
        except StoppedError:
            pass  # what was under way is finished at the next start
        except Exception:  # a camera's oddity fails its own bay, never the others
            words = "bay %s failed; its camera still holds what was not receipted"
            log.exception(words, self._docked.bay, extra=self._fields())
            self.progress.set("failed", "an error in the dock itself; see its log. undock and dock again to retry")
        finally:
            self._helper.shutdown(wait=False)

    def _serve_reader(self) -> None:
        """Looks until undocked. Raises ReaderGoneError when the reader process ends: then a new one goes on."""
        limits = ReaderLimits(self._settings.max_clips, self._settings.max_clip_bytes)
        self._reader = reader = self._open_reader(self._docked.path, limits, self._settings.hang_seconds)
        try:
            while not self._stopping.is_set():
                self._hint.clear()
                soon = self.look(reader)
                self._hint.wait(max(0.02, self._settings.settle_seconds) if soon else self._settings.scan_seconds)
        finally:
            reader.close()

    def _fields(self) -> dict[str, str | None]:
        """What the journal finds this bay's words by."""
        return {"bay": self._docked.bay, "camera": self.progress.camera_serial}

    def _report(self, error: CameraReadError) -> None:
        if not self._stopping.is_set():
            log.warning("bay %s: %s", self._docked.bay, error, extra=self._fields())
            self.progress.set("failed", str(error))

    def _identify(self, scanned: Scanned) -> CameraClips | None:
        """Who is docked; an unenrolled or unreadable camera is left untouched."""
        if isinstance(scanned.camera, Failure):
            self._refuse(None, "unreadable", scanned.camera.message)
            return None
        try:
            camera = parse_model(Camera, scanned.camera, what="camera.json")
        except VerificationError as error:
            self._refuse(None, type(error).__name__, str(error))
            return None
        self.progress.camera_serial, self.progress.officer_id = camera.serial, camera.officer_id
        if not self._ledger.is_enrolled(camera.serial):
            self._refuse(camera, "unenrolled", f"camera {camera.serial} is not enrolled; it was not read")
            return None
        docking = (camera.serial, camera.docked_at)
        if self._clips is None or self._docking != docking:  # undocked and docked again between two looks counts too
            self._docking = docking
            self._clips = self._begin_docking(camera)
        return self._clips

    def _begin_docking(self, camera: Camera) -> CameraClips:
        measured, unseen, self._unseen = _seconds(camera.docked_at, self._ledger.now()), self._unseen, 0.0
        seen = self._ledger.record_docking(self._docked.bay, camera, docking_skew(measured, unseen), unseen)
        log.info("bay %s: camera %s is looked through", self._docked.bay, camera.serial, extra=self._fields())
        here = Docking(self._docked.bay, seen, self.progress)
        return CameraClips(self._ledger, here, self._turns, self._helper, window=self._window)

    def _refuse(self, camera: Camera | None, kind: str, reason: str) -> None:
        self._ledger.refuse_camera(self._docked.bay, self._docked.identity, camera, kind, reason)
        self._clips = None
        self.progress.set("refused", reason)


def _seconds(camera: datetime, dock: datetime) -> float:
    return max(-1e9, min(1e9, (camera - dock).total_seconds()))
