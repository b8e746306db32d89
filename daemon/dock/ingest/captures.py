"""Reading a capture: is it this camera's word about this clip?"""

from __future__ import annotations

from datetime import datetime

from daemon.dock.ingest.jobs import ReadCapture
from daemon.model.errors import InconsistentError, MalformedError, VerificationError
from daemon.model.statements import Capture
from daemon.seal import envelope as envelopes
from daemon.seal.trust import Trust
from daemon.seal.verify import verify

_LIMIT = 65536


def read_capture(trust: Trust, data: bytes | None, camera_serial: str, stem: str, at: datetime) -> ReadCapture:
    """Verifies a capture file (DSSE). A doubtful one says why; it never stops its footage from being taken in."""
    if data is None:
        return ReadCapture("absent", None, None, None, None)
    try:
        envelope = envelopes.parse(data, what=f"{stem}.capture.json", limit=_LIMIT)
    except MalformedError as error:
        return ReadCapture("unusable", data, None, None, str(error))
    capture: Capture | None = None
    try:
        capture = envelope.statement(Capture)
        verify(envelope, Capture, trust, at=at)
        if capture.camera_serial != camera_serial:
            raise InconsistentError(f"the capture is of camera {capture.camera_serial}, docked is {camera_serial}")
        if capture.clip_id != stem:
            raise InconsistentError(f"the capture is of clip {capture.clip_id}, the file is named {stem}")
    except VerificationError as error:
        return ReadCapture("refused", data, envelope, capture, f"{type(error).__name__}: {error}")
    return ReadCapture("verified", data, envelope, capture, None)
