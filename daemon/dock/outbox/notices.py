"""A clip's current notice, made from the store's row and the envelopes in the vault.

The policy service is sent all of it, and keeps what it says. The broker retains a third of it, for every clip and for
months: without the envelopes, which never change.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.core.lifecycle import State
from daemon.dock import lock_state
from daemon.dock.context import DockContext, LoopState
from daemon.dock.store.rows import HeldClip
from daemon.model import strict_json
from daemon.model.documents import Lock, Notice, NoticeRelease
from daemon.model.errors import BwcError, MalformedError, SchemaError
from daemon.model.statements import Capture, Tag
from daemon.model.times import parse_instant
from daemon.seal import envelope as envelopes

_MOST_RELEASES = 50
_ANNOUNCED_ONLY = ("seal_envelope", "capture_envelope")


@dataclass(frozen=True)
class NoticeBytes:
    """A clip's notice as it is published: retained, and whole where the policy service has yet to hear it."""

    retained: bytes
    announced: bytes | None


def build(dock: DockContext, state: LoopState, clip: HeldClip) -> NoticeBytes:
    """The notice as it is now; what the policy service has acknowledged is not announced again.

    Raises BwcError when the vault lacks what the store says it holds.
    """
    through = dock.store.acknowledged_through
    if clip.state == State.DISPOSED:
        disposed = _disposed(dock, clip)
        return NoticeBytes(disposed, disposed if clip.sequence > through else None)
    directory = dock.clip_directory(clip.clip_id)
    seal = _read(directory.seal)
    tag = _read(directory.tag(clip.tag_revision))
    capture = _read(directory.capture) if clip.capture_sha256 else None
    view = lock_state.view_of(dock, clip, state.reading(dock))
    tag_statement = envelopes.from_dict(tag, what="tag").statement(Tag)
    notice = Notice(
        clip_id=clip.clip_id,
        dock_id=dock.dock_id,
        sequence=clip.sequence,
        previous=dock.store.previous_sequence(clip.sequence),
        published_at=dock.now(),
        lock=Lock(state=view.state, reason=view.reason, releases=_releases(dock, clip)),
        integrity=clip.integrity,  # type: ignore[arg-type]
        seal_envelope=seal,
        capture_envelope=capture,
        tag_envelope=tag,
        capture=_capture_fields(capture),
        clip_sha256=clip.clip_sha256,
        sealed_sha256=clip.sealed_sha256,
        sealed_bytes=clip.sealed_bytes,
        clock_skew_seconds=clip.skew,
        ingested_at=parse_instant(clip.ingested_at),
        activation=tag_statement.activation.plain(),
    )
    plain = notice.plain()
    retained = {name: value for name, value in plain.items() if name not in _ANNOUNCED_ONLY}
    return NoticeBytes(strict_json.dump(retained), strict_json.dump(plain) if clip.sequence > through else None)


def _disposed(dock: DockContext, clip: HeldClip) -> bytes:
    """The last notice of a clip: without its envelopes, because its wrapped keys are destroyed."""
    notice = Notice(
        clip_id=clip.clip_id,
        dock_id=dock.dock_id,
        sequence=clip.sequence,
        previous=dock.store.previous_sequence(clip.sequence),
        published_at=dock.now(),
        lock=Lock(state="disposed", reason="disposed of by order"),
        integrity=clip.integrity,  # type: ignore[arg-type]
        clip_sha256=clip.clip_sha256,
        sealed_sha256=clip.sealed_sha256,
        sealed_bytes=clip.sealed_bytes,
        clock_skew_seconds=clip.skew,
    )
    return strict_json.dump(notice.plain())


def _releases(dock: DockContext, clip: HeldClip) -> tuple[NoticeRelease, ...]:
    rows = [row for row in dock.store.orders(clip.clip_id) if row.person_id != "unknown"]
    rows.sort(key=lambda row: (row.state == "live", row.expires_at))
    return tuple(
        NoticeRelease(
            order_id=row.order_id,
            person_id=row.person_id,
            purpose=row.purpose,  # type: ignore[arg-type]
            expires_at=parse_instant(row.expires_at),
            state=row.state,  # type: ignore[arg-type]
        )
        for row in rows[-_MOST_RELEASES:]
    )


def _capture_fields(capture: dict[str, Any] | None) -> dict[str, Any] | None:
    """The capture's plain fields, for subscribers that do not unpack envelopes; none where it does not parse."""
    if capture is None:
        return None
    try:
        return envelopes.from_dict(capture, what="capture").statement(Capture).plain()
    except (MalformedError, SchemaError):
        return None


def _read(path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BwcError(f"{path}: cannot be read ({error})") from error
    return value
