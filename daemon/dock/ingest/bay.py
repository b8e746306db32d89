"""One bay with a camera in it: a thread that scans the camera and brings its clips on their way."""

from __future__ import annotations

import base64
import logging
import threading
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import datetime
from typing import Any

from daemon.core.skew import docking_skew
from daemon.custody.log import Event
from daemon.dock.camera.handle import CameraHangsError, ReaderGoneError, ReaderHandle
from daemon.dock.camera.mounts import Docked
from daemon.dock.context import Dock
from daemon.dock.ingest.bay_progress import Standing
from daemon.dock.ingest.camera_clips import WRITING, ClipWay
from daemon.dock.ingest.docking import Docking
from daemon.dock.ingest.intake import CameraSeen
from daemon.dock.ingest.read_turns import Turns
from daemon.dock.loop import Service, StoppedError
from daemon.model.documents import Camera
from daemon.model.errors import CameraReadError, NotDurableError, TamperedError, VerificationError
from daemon.model.parse import parse_model
from daemon.model.times import format_instant

log = logging.getLogger(__name__)
_SETTLING = 2
"""How many batches of one docking are settled at once: while one waits for the medium, another is worked on."""


class BayThread:
    """Looks at one docked camera again and again, until it is undocked."""

    def __init__(self, dock: Dock, service: Service, docked: Docked, turns: Turns, unseen: float = 0.0) -> None:
        """`unseen`: for how many seconds before nobody looked whether a camera was docked."""
        self._dock = dock
        self._unseen = unseen
        self._turns = turns
        self._service = service
        self._docked = docked
        self._settings = dock.config.ingest
        self._stopping = threading.Event()
        self._hint = threading.Event()
        self._standing = Standing(docked.bay, lambda bay: service.show(docked.identity, bay))
        self._handle: ReaderHandle | None = None
        self._way: ClipWay | None = None
        self._docking: tuple[str, datetime] | None = None
        self._helper: Executor = ThreadPoolExecutor(_SETTLING, f"bay {docked.bay}, settling")
        self._thread = threading.Thread(target=self._run, name=f"bay {docked.bay}", daemon=True)

    @property
    def identity(self) -> str:
        return self._docked.identity

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Something changed (an acknowledgement, a correction): look again now."""
        self._hint.set()

    def stop(self) -> None:
        """Undocked, or the service stops: the reader is killed. Returns at once; `join` waits."""
        self._stopping.set()
        self._hint.set()
        handle = self._handle
        if handle is not None:
            handle.kill()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    self._serve_reader()
                except ReaderGoneError as error:
                    self._report(error)
                self._stopping.wait(self._settings.scan_seconds)
        except CameraHangsError as error:
            self._report(error)
        except (NotDurableError, TamperedError) as error:  # the vault's medium cannot be relied on: stop everything
            self._service.fail(error)
        except StoppedError:
            pass  # what was under way is finished at the next start
        except Exception:  # a camera's oddity fails its own bay, never the others
            words = "bay %s failed; its camera still holds what was not receipted"
            log.exception(words, self._docked.bay, extra=self._fields())
            self._standing.set("failed", "an error in the dock itself; see its log. undock and dock again to retry")
        finally:
            self._helper.shutdown(wait=False)

    def _serve_reader(self) -> None:
        """Looks until undocked. Raises ReaderGoneError when the reader process ends: then a new one goes on."""
        limits = {"max_clips": self._settings.max_clips, "max_clip_bytes": self._settings.max_clip_bytes}
        self._handle = handle = ReaderHandle(self._docked.path, limits, self._settings.hang_seconds)
        try:
            while not self._stopping.is_set():
                self._hint.clear()
                soon = self._look(handle)
                self._hint.wait(max(0.02, self._settings.settle_seconds) if soon else self._settings.scan_seconds)
        finally:
            handle.close()

    def _fields(self) -> dict[str, str | None]:
        """What the journal finds this bay's words by."""
        return {"bay": self._docked.bay, "camera": self._standing.camera_serial}

    def _report(self, error: CameraReadError) -> None:
        if not self._stopping.is_set():
            log.warning("bay %s: %s", self._docked.bay, error, extra=self._fields())
            self._standing.set("failed", str(error))

    def _look(self, handle: ReaderHandle) -> bool:
        """One scan, and every clip brought as far as it goes. Returns whether to look again soon."""
        try:
            scan = handle.scan()
        except (ReaderGoneError, CameraHangsError):
            raise
        except CameraReadError as error:
            self._report(error)
            return False
        way = self._identify(scan["camera"])
        if way is None:
            return False
        way.note_gone({stem for stem, _, _ in scan["clips"]})
        for stem, footage, capture in scan["clips"]:
            way.see(stem, footage, capture)
        reasons = way.advance(handle, self._stopping.is_set)
        if self._stopping.is_set():
            return False
        self._standing.set("waiting" if reasons else "done", "; ".join(sorted(reasons)[:3]) or way.left_there)
        return WRITING in reasons

    def _identify(self, answer: dict[str, Any]) -> ClipWay | None:
        """Who is docked; an unenrolled or unreadable camera is left untouched."""
        if "message" in answer:
            self._refuse(None, "unreadable", answer["message"])
            return None
        try:
            camera = parse_model(Camera, base64.b64decode(answer["data"]), what="camera.json")
        except VerificationError as error:
            self._refuse(None, type(error).__name__, str(error))
            return None
        self._standing.camera_serial, self._standing.officer_id = camera.serial, camera.officer_id
        if camera.serial not in self._dock.trust.statement.cameras:
            self._refuse(camera, "unenrolled", f"camera {camera.serial} is not enrolled; it was not read")
            return None
        docking = (camera.serial, camera.docked_at)
        if self._way is None or self._docking != docking:  # undocked and docked again between two looks counts as well
            self._docking = docking
            measured, unseen, self._unseen = _seconds(camera.docked_at, self._dock.now()), self._unseen, 0.0
            skew = docking_skew(measured, unseen)
            seen = self._service.call(lambda: _record_docking(self._dock, self._docked.bay, camera, skew, unseen))
            log.info("bay %s: camera %s is looked through", self._docked.bay, camera.serial, extra=self._fields())
            here = Docking(self._dock, self._service, self._docked.bay, seen, self._standing)
            self._way = ClipWay(here, self._turns, self._helper)
        return self._way

    def _refuse(self, camera: Camera | None, kind: str, reason: str) -> None:
        dock, bay, identity = self._dock, self._docked.bay, self._docked.identity
        detail = {"what": "camera", "bay": bay, "reason": reason[:500]}
        fields = self._fields()
        if camera is not None:
            detail["camera_serial"] = camera.serial

        def record() -> None:
            if dock.first_refusal(f"{bay} {identity} {reason}"):
                dock.record(Event("refused", None, detail))
                dock.metrics.refused("camera", kind)
                log.warning("bay %s: refused: %s", bay, reason, extra=fields)

        self._service.call(record)
        self._way = None
        self._standing.set("refused", reason)


def _record_docking(dock: Dock, bay: str, camera: Camera, skew: float, unseen: float) -> CameraSeen:
    """Records the docking. The skew is the one measured when this docking was first seen."""
    docked_at = format_instant(camera.docked_at)
    skew = dock.store.docking_skew(camera.serial, docked_at, skew)
    detail: dict[str, Any] = {
        "bay": bay,
        "camera_serial": camera.serial,
        "officer_id": camera.officer_id,
        "docked_at": docked_at,
        "clock_skew_seconds": round(skew, 3),
    }
    if unseen:
        detail["unseen_seconds"] = round(unseen, 3)
    dock.record(Event("docked", None, detail))
    return CameraSeen(camera.serial, camera.officer_id, skew)


def _seconds(camera: datetime, dock: datetime) -> float:
    return max(-1e9, min(1e9, (camera - dock).total_seconds()))
