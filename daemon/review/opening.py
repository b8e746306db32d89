"""Opening a released clip: nothing is written before everything about it holds.

Steps, numbered as in `open_clip`:
  1 the release order is signed by the policy service, names this person, and has not run out
  2 the clip's seal, capture and custody hold (daemon.custody.evidence)
  3 the custody log shows this very order honoured, and not revoked or expired since
  4 the data key opens with this person's key
  5 every segment decrypts, the sealed bytes are those that were sealed, the footage is what the camera signed
  6 the opening is attested; then, and only then, the file gets its name
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

from daemon.custody.evidence import ClipEvidence, verify_clip
from daemon.model.custody_actions import CustodyAction
from daemon.model.documents import CustodyEntry
from daemon.model.errors import InconsistentError, LockedError, TamperedError
from daemon.model.statements import Opened, Release
from daemon.model.times import format_instant
from daemon.seal import envelope as envelopes
from daemon.seal import stream
from daemon.seal.envelope import Envelope
from daemon.seal.keys import OpenKey, SignKey, keyid
from daemon.seal.trust import Trust
from daemon.seal.verify import Verified, verify
from daemon.seal.wrap import release_info, unwrap
from daemon.vault.layout import ClipDirectory
from daemon.vault.reading import HashingReader, read_document
from daemon.vault.sources import Source
from daemon.vault.writing import write_verified


@dataclass(frozen=True)
class OpenedClip:
    """What was opened, and everything it was verified against."""

    path: Path
    size: int
    release: Verified[Release]
    evidence: ClipEvidence
    opened: Envelope


@dataclass(frozen=True)
class Viewer:
    """Who opens, and with which keys."""

    person_id: str
    sign_key: SignKey
    open_key: OpenKey


def open_clip(
    source: Source,
    clip_id: str,
    viewer: Viewer,
    agency: str,
    trust: Trust,
    now: datetime,
    out: Path,
    attest: Callable[[Envelope], None],
) -> OpenedClip:
    """Writes the clip to the new file `out`. `attest` makes the opening known and raises when it cannot.

    Raises LockedError when there is no live order for this person, VerificationError's subclasses when anything does
    not hold, ConfigurationError when `out` exists.
    """
    clip = source.clip(clip_id)
    release = find_release(clip, viewer.person_id, trust, now)  # 1
    evidence = verify_clip(clip, clip_id, agency, trust)  # 2
    seal = evidence.seal.statement
    if (release.statement.clip_id, release.statement.dock_id, release.statement.clip_sha256) != (
        clip_id,
        seal.dock_id,
        seal.clip_sha256,
    ):
        raise InconsistentError("the release order is for another clip")
    _must_stand(evidence.custody.entries, release)  # 3
    wrapped = release.statement.wrapped_key
    if wrapped.recipient != keyid(viewer.open_key.public_key()):
        raise InconsistentError("the release order is wrapped to another key than yours")
    data_key = unwrap(wrapped, viewer.open_key, release_info(release.statement))  # 4
    opened = envelopes.sign(
        Opened(
            order_id=release.statement.order_id,
            clip_id=clip_id,
            person_id=viewer.person_id,
            opened_at=now,
            clip_sha256=seal.clip_sha256,
        ),
        viewer.sign_key,
    )
    digest = hashlib.sha256()
    with source.sealed(clip, seal.sealed_sha256, seal.sealed_bytes) as sealed:
        reader = HashingReader(sealed)

        def check() -> None:
            if reader.hexdigest != seal.sealed_sha256:
                raise TamperedError(f"{clip.sealed}: is not what was sealed")
            if digest.hexdigest() != seal.clip_sha256:
                raise TamperedError(f"{clip.sealed}: opens to other footage than was recorded")
            attest(opened)  # 6

        chunks = stream.decrypt(cast(BinaryIO, reader), seal.sealed_bytes, data_key, clip_id)  # 5
        size = write_verified(out, chunks, digest.update, check)
    return OpenedClip(out, size, release, evidence, opened)


def find_release(clip: ClipDirectory, person_id: str, trust: Trust, now: datetime) -> Verified[Release]:
    """The person's live order that lasts longest, of those the dock has honoured. Raises LockedError."""
    live: list[Verified[Release]] = []
    problem = "it has not been released to you"
    for path in clip.orders("release"):
        envelope = envelopes.parse(read_document(path), what=str(path))
        claimed = envelope.statement(Release)
        if claimed.person_id != person_id:
            continue
        if clip.revocation(claimed.order_id).exists():
            problem = "its release to you was revoked"
        elif claimed.expires_at <= now:
            problem = f"its release to you ended at {format_instant(claimed.expires_at)}"
        else:
            live.append(verify(envelope, Release, trust, at=now))
    if not live:
        raise LockedError(
            f"clip {clip.path.name} is locked: {problem}",
            hint=f"bwc review request --clip {clip.path.name} --purpose … says what would open it",
        )
    return max(live, key=lambda release: release.statement.expires_at)


def _must_stand(entries: list[CustodyEntry], release: Verified[Release]) -> None:
    order_id = release.statement.order_id
    about = [entry for entry in entries if entry.detail.get("order_id") == order_id]
    if not any(entry.action == CustodyAction.RELEASED and release.digest in entry.attestations for entry in about):
        raise TamperedError(f"the custody log does not show order {order_id} honoured")
    for entry in about:
        if entry.action in {CustodyAction.REVOKED, CustodyAction.EXPIRED}:
            raise LockedError(f"clip {release.statement.clip_id} is locked: its release to you was {entry.action}")
