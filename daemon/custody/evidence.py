"""Verifying a clip's statements from the files in its directory, for a viewer and for the check of a vault.

Steps, numbered as in `verify_clip`:
  1 the seal is signed by an enrolled dock, and is about this clip
  2 the capture is the one the seal names, signed by its camera, and its footage is what was sealed
  3 the custody record is proven against a checkpoint that the same dock signed, and records this very intake
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from daemon.custody.record import Proven, verify_record
from daemon.model.custody_actions import CustodyAction
from daemon.model.errors import BwcError, InconsistentError, TamperedError, VerificationError
from daemon.model.statements import Capture, Release, Revocation, Seal, Statement, Tag
from daemon.seal import envelope as envelopes
from daemon.seal.envelope import Envelope
from daemon.seal.trust import Trust
from daemon.seal.verify import Verified, verify
from daemon.vault.layout import ClipDirectory
from daemon.vault.reading import read_document

S = TypeVar("S", bound=Statement)


@dataclass(frozen=True)
class ClipEvidence:
    """A clip's verified statements. `capture` is None when the footage came without a valid capture."""

    seal: Verified[Seal]
    capture: Verified[Capture] | None
    custody: Proven


def verify_clip(clip: ClipDirectory, clip_id: str, agency: str, trust: Trust) -> ClipEvidence:
    """Does steps 1 to 3. Raises a VerificationError naming the file that failed, MissingError when one is missing."""
    seal = _seal(clip, clip_id, trust)  # 1
    capture = _capture(clip, seal.statement, trust)  # 2
    dock_key = trust.sign_key_of("dock", seal.statement.dock_id)
    if dock_key is None:
        raise InconsistentError(f"dock {seal.statement.dock_id} is not enrolled")
    origin = f"bwc/{agency}/{seal.statement.dock_id}"
    custody = verify_record(read_document(clip.custody), clip_id, origin, dock_key, what=str(clip.custody))  # 3
    ingested = next((entry for entry in custody.entries if entry.action == CustodyAction.INGESTED), None)
    if ingested is None or ingested.detail.get("sealed_sha256") != seal.statement.sealed_sha256:
        raise TamperedError(f"{clip.custody}: does not record that this clip was taken in")
    if seal.digest not in ingested.attestations:
        raise TamperedError(f"{clip.seal}: is not the seal that custody recorded at intake")
    expected = ingested.detail.get("capture_file_sha256")  # a camera writes JSON in its own way, so its bytes count
    if expected is not None and hashlib.sha256(read_document(clip.capture)).hexdigest() != expected:
        raise TamperedError(f"{clip.capture}: is not the file that custody recorded at intake")
    return ClipEvidence(seal, capture, custody)


def _seal(clip: ClipDirectory, clip_id: str, trust: Trust) -> Verified[Seal]:
    envelope = _written_by_us(clip.seal)
    with _naming(clip.seal):
        claimed = envelope.statement(Seal)
        seal = verify(envelope, Seal, trust, at=claimed.ingested_at)
    if seal.statement.clip_id != clip_id:
        raise InconsistentError(f"{clip.seal}: is the seal of clip {seal.statement.clip_id}")
    return seal


def _capture(clip: ClipDirectory, seal: Seal, trust: Trust) -> Verified[Capture] | None:
    holds = seal.integrity in {"verified", "unplayable"}
    if seal.capture_sha256 is None and not holds:
        return None
    envelope = envelopes.parse(read_document(clip.capture), what=str(clip.capture))
    if envelope.digest != seal.capture_sha256:
        raise TamperedError(f"{clip.capture}: is not the capture that the seal names")
    if not holds:  # it was not valid at intake, and is kept as it came
        return None
    with _naming(clip.capture):
        capture = verify(envelope, Capture, trust, at=seal.ingested_at)
    if capture.statement.sha256 != seal.clip_sha256:
        raise InconsistentError(f"{clip.capture}: describes other footage than the sealed")
    return capture


def _written_by_us(path: Path) -> Envelope:
    """An envelope that a dock wrote. A dock writes JSON in one way only, so even a bit outside the signature counts."""
    data = read_document(path)
    envelope = envelopes.parse(data, what=str(path))
    if envelope.to_bytes() != data:
        raise TamperedError(f"{path}: is not written as a dock writes it")
    return envelope


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Adds the file's name to the message of a VerificationError."""
    try:
        yield
    except VerificationError as error:
        raise type(error)(f"{path}: {error}", hint=error.hint) from None


@dataclass(frozen=True)
class Finding:
    """Something that is wrong: in which clip (None: in the log), in which file, and what."""

    clip_id: str | None
    path: str
    problem: str


def check_tags_and_orders(clip: ClipDirectory, clip_id: str, trust: Trust, sealed_at: datetime) -> Iterator[Finding]:
    """Findings about the clip's tags, release orders and revocations: each must be signed, and be about this clip."""
    tags = clip.tags()
    if not tags:
        yield Finding(clip_id, str(clip.path / "tags"), "holds no tag")
    for path in tags:
        yield from _check_signed(trust, path, clip_id, Tag, lambda tag: sealed_at)
    for path in clip.orders("release"):
        yield from _check_signed(trust, path, clip_id, Release, lambda release: release.granted_at)
    for path in clip.orders("revocation"):
        yield from _check_signed(trust, path, clip_id, Revocation, lambda revocation: revocation.revoked_at)


def _check_signed(
    trust: Trust, path: Path, clip_id: str, kind: type[S], signed_at: Callable[[S], datetime]
) -> Iterator[Finding]:
    """Findings about one signed file: its signature must be valid, and it must be about this clip."""
    try:
        envelope = _written_by_us(path)
        claimed = envelope.statement(kind)
        verify(envelope, kind, trust, at=signed_at(claimed))
        if getattr(claimed, "clip_id", None) != clip_id:
            yield Finding(clip_id, str(path), "is about another clip")
    except BwcError as error:
        yield Finding(clip_id, str(path), str(error))
