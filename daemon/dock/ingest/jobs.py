"""What is known of a clip on its way in, step by step: found, to be sealed, sealed, signed."""

from __future__ import annotations

import json
from dataclasses import dataclass

from daemon.core import intake
from daemon.core.dispatch.recording import Recording
from daemon.core.intake import CaptureState
from daemon.core.settle import FileStat
from daemon.dock.camera.messages import SealRequest, SealResult, SealTarget
from daemon.model import strict_json
from daemon.model.errors import BwcError
from daemon.model.statements import Capture, Integrity, Seal
from daemon.seal.envelope import Envelope
from daemon.vault.layout import Place, VaultLayout


@dataclass(frozen=True)
class CameraSeen:
    """Whoever is docked. `skew`: camera's clock minus dock's, seconds, as measured at this docking."""

    serial: str
    officer_id: str
    skew: float


@dataclass(frozen=True)
class ReadCapture:
    """A capture file as found: verified, or why not."""

    state: CaptureState
    data: bytes | None
    envelope: Envelope | None
    capture: Capture | None
    problem: str | None

    @property
    def size(self) -> int | None:
        """The footage's size in bytes, as the capture claims it; None where it says none."""
        return self.capture.size_bytes if self.capture else None

    @property
    def verified(self) -> Capture | None:
        """The capture, where it holds."""
        return self.capture if self.state == "verified" else None


@dataclass(frozen=True)
class FoundOnCamera:
    """A settled clip on a camera, its capture read."""

    stem: str
    footage: FileStat
    capture: ReadCapture


@dataclass(frozen=True)
class Job:
    """A clip to be taken in. Kept in the store from before reading until the commit: a restart can finish it."""

    clip_id: str
    claimed: str | None
    bay: str
    camera_serial: str
    officer_id: str
    stem: str
    footage: FileStat
    skew: float
    capture_state: CaptureState
    capture_sha256: str | None
    capture_file_sha256: str | None
    problem: str | None

    def recording(self, capture: Capture | None, value: Integrity) -> Recording | None:
        """When and by whom it was recorded; None where no capture holds."""
        if capture is None or intake.quarantined(value):
            return None
        return recording_of_capture(capture, self.clip_id, self.officer_id, self.skew)

    def request(self, vault: VaultLayout, dock_id: str, recipients: tuple[str, ...]) -> SealRequest:
        """What the reader is asked; `recipients` are public keys, PEM."""
        path = vault.incoming / self.clip_id / "clip.sealed"
        target = SealTarget(str(path), self.clip_id, dock_id, self.capture_sha256, recipients)
        return SealRequest(self.stem, self.footage, target)

    def to_text(self) -> str:
        """As it is kept in the store."""
        footage = [self.footage.size, self.footage.mtime_ns, self.footage.ctime_ns]
        return strict_json.dump(vars(self) | {"footage": footage}).decode()

    @classmethod
    def from_text(cls, text: str) -> Job:
        """As kept in the store. Raises BwcError."""
        try:
            values = json.loads(text)  # our own words, and a camera's file times may be beyond 64 bits
            values["footage"] = FileStat(*values["footage"])
            return cls(**values)
        except (ValueError, TypeError, KeyError) as error:
            raise BwcError(f"the store's record of a staged clip is unreadable: {error}") from error


@dataclass(frozen=True)
class SealedClip:
    """A clip that the reader has sealed."""

    job: Job
    capture: ReadCapture
    result: SealResult


@dataclass(frozen=True)
class SignedClip:
    """A clip and what the dock says of it, signed: what goes into its directory beside the sealed file."""

    job: Job
    seal: Envelope
    tag: Envelope
    capture: Capture | None
    capture_file: bytes | None

    @property
    def place(self) -> Place:
        """Where that directory goes."""
        return "quarantine" if intake.quarantined(self.seal.statement(Seal).integrity) else "clips"


def recording_of_capture(capture: Capture, clip_id: str, officer_id: str, skew: float) -> Recording:
    """When a capture says it was recorded."""
    return Recording(clip_id, officer_id, capture.started_at, capture.triggered_at, capture.stopped_at, skew)
