"""What a bay's thread may ask of the dock. The loop makes every decision; nothing here gives out store or trust."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from daemon.custody.log import NewEntry
from daemon.dock.context import DockContext, Transaction
from daemon.dock.ingest import captures, erasure, intake, receipts, staging
from daemon.dock.ingest.erasure import Candidate, Permission
from daemon.dock.ingest.jobs import CameraSeen, FoundOnCamera, Job, ReadCapture, SealedClip, SignedClip
from daemon.dock.loop import Loop
from daemon.dock.metrics import DockMetrics
from daemon.dock.store.rows import HeldClip
from daemon.model.clock import Clock
from daemon.model.config import Ingest
from daemon.model.custody_actions import CustodyAction
from daemon.model.documents import Bay, Camera
from daemon.model.errors import BwcError
from daemon.model.statements import Receipt
from daemon.model.times import format_instant
from daemon.seal import envelope as envelopes
from daemon.seal.keys import public_pem
from daemon.vault.layout import VaultLayout


class IngestLedger:
    """One for all bays. Methods return once what they wrote is durable; they raise StoppedError when the dock stops."""

    def __init__(self, dock: DockContext, loop: Loop) -> None:
        self._dock = dock
        self._loop = loop

    # what never changes

    @property
    def settings(self) -> Ingest:
        """[ingest]."""
        return self._dock.config.ingest

    @property
    def vault(self) -> VaultLayout:
        """Where sealed clips go."""
        return self._dock.vault

    @property
    def clock(self) -> Clock:
        """The dock's clock."""
        return self._dock.clock

    @property
    def metrics(self) -> DockMetrics:
        """Counters, for any thread."""
        return self._dock.metrics

    @property
    def dock_id(self) -> str:
        """This dock's id."""
        return self._dock.dock_id

    def now(self) -> datetime:
        """The wall clock."""
        return self._dock.now()

    # the camera

    def is_enrolled(self, camera_serial: str) -> bool:
        """Whether the trust file in force names this camera."""
        return camera_serial in self._dock.trust.get().statement.cameras

    def record_docking(self, bay: str, camera: Camera, skew: float, unseen: float) -> CameraSeen:
        """Records that a camera is docked; the skew that counts is the one measured when this was first seen."""
        return self._loop.run_in_transaction(_record_docking, bay, camera, skew, unseen)

    def refuse_camera(self, bay: str, identity: str, camera: Camera | None, kind: str, reason: str) -> None:
        """Records that a camera is left untouched, and why."""
        self._loop.run_in_transaction(_refuse_camera, bay, identity, camera, kind, reason)

    def show(self, identity: str, bay: Bay) -> None:
        """Publishes how the bay stands; ignored once `identity` is no longer what is docked there."""
        self._loop.show(identity, bay)

    def fail(self, error: BaseException) -> None:
        """Stops the whole dock: something's outcome is unknown."""
        self._loop.fail(error)

    # a clip's way in

    def read_capture(self, data: bytes | None, camera: CameraSeen, stem: str) -> ReadCapture:
        """Verifies a capture file with the trust in force."""
        return captures.read_capture(self._dock.trust.get(), data, camera.serial, stem, self.now())

    def are_dispatched(self, camera: CameraSeen, read: Sequence[ReadCapture]) -> list[bool]:
        """Whether dispatch had sent each clip's officer to a call when it was recorded, as far as is known."""
        return self._loop.run_in_transaction(intake.are_dispatched, camera, read) if read else []

    def prepare(self, bay: str, camera: CameraSeen, clips: Sequence[FoundOnCamera]) -> list[Job | HeldClip]:
        """Each clip's job, noted in the store; or the clip it already is."""
        return self._loop.run_in_transaction(intake.prepare, bay, camera, clips)

    def recipients(self) -> tuple[str, ...]:
        """The public keys, PEM, that each clip's data key is wrapped to just now."""
        return tuple(public_pem(key) for key in self._dock.trust.get().escrow(self.now()))

    def sign_statements(self, sealed: Sequence[SealedClip]) -> list[SignedClip | HeldClip]:
        """Each clip with its seal and first tag, signed; or the clip that these bytes already are."""
        found = self._loop.run_in_transaction(intake.make_statements, sealed)
        made = [(clip, said) for clip, said in zip(sealed, found, strict=True) if not isinstance(said, HeldClip)]
        seals = iter(envelopes.sign_all([seal for _, (seal, _) in made], self._dock.sign_key))
        tags = iter(envelopes.sign_all([tag for _, (_, tag) in made], self._dock.sign_key))
        return [
            said
            if isinstance(said, HeldClip)
            else SignedClip(clip.job, next(seals), next(tags), clip.capture.capture, clip.capture.data)
            for clip, said in zip(sealed, found, strict=True)
        ]

    def commit(self, clips: Sequence[SignedClip]) -> list[HeldClip]:
        """The commit point: clips that lie in their places are taken in."""
        return self._loop.run_in_transaction(intake.commit, clips)

    def drop(self, jobs: Collection[Job]) -> None:
        """These are not taken in this time: nothing of them is kept; they are still on their camera."""
        for job in jobs:
            staging.discard(self._dock.vault, job.clip_id)
        self._loop.run_in_transaction(intake.unstage, [job.clip_id for job in jobs])

    def want_room(self, size: int) -> None:
        """A clip waits on its camera until `size` bytes are free: what the replica holds may make room for it."""
        self._loop.run_in_transaction(_want_room, size)

    # receipts and erasing

    def issue_receipts(self, clip_ids: Sequence[str]) -> dict[str, bytes | str]:
        """Clips' receipts, signed, as files; or, in words, what keeps one back."""
        issued = self._loop.run_in_transaction(receipts.issue, clip_ids)
        given = {clip_id: receipt for clip_id, receipt in issued.items() if isinstance(receipt, Receipt)}
        signed = envelopes.sign_all(list(given.values()), self._dock.sign_key)
        withheld: dict[str, bytes | str] = {key: reason for key, reason in issued.items() if isinstance(reason, str)}
        return withheld | {clip_id: envelope.to_bytes() for clip_id, envelope in zip(given, signed, strict=True)}

    def record_receipts(self, clip_ids: Sequence[str], bay: str) -> None:
        """These receipts are durable on the camera."""
        self._loop.run_in_transaction(receipts.record, clip_ids, bay)

    def check_erasable(self, clips: Sequence[Candidate]) -> dict[str, Permission]:
        """Which clips may be deleted from the camera now, by their stems; that the dock sets out to is noted."""
        return self._loop.run_in_transaction(erasure.check, clips)

    def record_erased(self, bay: str, clips: Sequence[Candidate], failed: Mapping[str, BwcError]) -> None:
        """What became of clips that the reader was asked to delete."""
        self._loop.run_in_transaction(erasure.record_outcomes, bay, clips, failed)

    def record_gone(self, camera_serial: str, present: set[str], bay: str) -> None:
        """Which stems are on the camera: clips with a receipt that are not have been erased."""
        self._loop.run_in_transaction(erasure.record_gone, camera_serial, present, bay)


def _want_room(tx: Transaction, size: int) -> None:
    tx.state.room_wanted = size
    tx.dock.replica_work.set()


def _record_docking(tx: Transaction, bay: str, camera: Camera, skew: float, unseen: float) -> CameraSeen:
    docked_at = format_instant(camera.docked_at)
    skew = tx.store.docking_skew(camera.serial, docked_at, skew)
    detail: dict[str, Any] = {
        "bay": bay,
        "camera_serial": camera.serial,
        "officer_id": camera.officer_id,
        "docked_at": docked_at,
        "clock_skew_seconds": round(skew, 3),
    }
    if unseen:
        detail["unseen_seconds"] = round(unseen, 3)
    tx.record(NewEntry(CustodyAction.DOCKED, None, detail))
    return CameraSeen(camera.serial, camera.officer_id, skew)


def _refuse_camera(tx: Transaction, bay: str, identity: str, camera: Camera | None, kind: str, reason: str) -> None:
    detail = {"what": "camera", "bay": bay, "reason": reason[:500]}
    if camera is not None:
        detail["camera_serial"] = camera.serial
    fields = {"bay": bay, "camera": camera.serial if camera is not None else None}
    tx.refuse("camera", kind, f"bay {bay}: {reason}", repeat=f"{bay} {identity} {reason}", detail=detail, fields=fields)
