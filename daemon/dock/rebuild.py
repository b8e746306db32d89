"""The dock's database made anew from its vault, after the disk it lay on was lost.

Everything that proves anything lies in the vault: sealed clips, their statements, the custody log. It is checked whole
first; what does not hold is named, and nothing is built. What the vault does not say is decided so that nothing opens
and nothing is lost: every release has ended (whoever needs the clip asks again); every notice is announced anew, with a
number above all used before; dispatch documents are heard again as dispatch sends them, and tags stay as they are
until then: a new one never says that nothing was unclear about a time before.
Evicted clips are looked for in object storage. All others are copied there again, or found there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from daemon.core.intake import quarantined
from daemon.core.lifecycle import State
from daemon.custody.log import NewEntry
from daemon.custody.vault_check import VaultCheck, VaultCheckOptions, clips_of
from daemon.dock.context import DockContext, LoopState, Transaction
from daemon.dock.ingest.captures import read_capture
from daemon.dock.ingest.intake import CameraOrigin, clip_row
from daemon.dock.ingest.jobs import recording_of_capture
from daemon.dock.opening import open_dock, open_replica
from daemon.dock.store.meta import MetaKey
from daemon.dock.store.rows import HeldClip, HonouredOrder
from daemon.model import statements as st
from daemon.model import strict_json
from daemon.model.clock import Clock
from daemon.model.config import DockConfig
from daemon.model.custody_actions import CustodyAction
from daemon.model.errors import ConfigurationError, TamperedError
from daemon.model.times import format_instant
from daemon.seal import envelope as envelopes
from daemon.seal.keys import load_sign_public
from daemon.seal.trust import load_trust
from daemon.vault.durable import fsync_directory
from daemon.vault.layout import ClipDirectory, VaultLayout
from daemon.vault.reading import read_document

_REMEMBERED = frozenset({CustodyAction.OPENED, CustodyAction.ADMITTED, CustodyAction.CORRECTED})
"""Entries whose attestations would be recorded twice if they were heard again."""


@dataclass(frozen=True)
class Rebuilt:
    """How many clips and custody entries were found in the vault."""

    clips: int
    entries: int


@dataclass
class _Past:
    """What custody says of one clip."""

    ingested: dict[str, Any] = field(default_factory=dict)
    actions: set[str] = field(default_factory=set)
    docked_by: str = "unknown"  # whose camera it was when it was docked, by the camera's own word
    corrected_to: str | None = None  # who wore it, by the last correction
    revoked: set[str] = field(default_factory=set)


def rebuild(config: DockConfig, clock: Clock, read_data: bool, progress: Callable[[str], None]) -> Rebuilt:
    """Makes `<state>/dock.sqlite`; `progress` is told each clip's id as it is checked.

    Raises ConfigurationError when there is a database already, TamperedError for a vault that does not hold,
    UnavailableError when clips lie in object storage alone, which does not answer.
    """
    target = config.state / "dock.sqlite"
    if target.exists():
        raise ConfigurationError(f"{target}: is there", hint="rebuild is for a lost database; move this one away first")
    layout = VaultLayout(config.vault)
    if not layout.custody.is_dir():
        raise ConfigurationError(f"{layout.root}: holds no custody log, so it is no dock's vault")
    lock = layout.lock()
    try:
        return _rebuild(config, clock, layout, target, read_data, progress)
    finally:
        os.close(lock)


def _rebuild(
    config: DockConfig,
    clock: Clock,
    layout: VaultLayout,
    target: Path,
    read_data: bool,
    progress: Callable[[str], None],
) -> Rebuilt:
    trust = load_trust(config.trust.file, load_sign_public(config.trust.root))
    vault = VaultCheckOptions(layout, config.agency, trust, clock.now(), read_data, open_replica(config))
    findings = VaultCheck(vault).run(None, progress)
    for finding in findings:
        raise TamperedError(f"{finding.path}: {finding.problem}", hint="the rest: bwc dock check; nothing was built")
    scratch = config.state / "rebuilding"
    for path in scratch.glob("dock.sqlite*"):  # of a rebuild that was interrupted
        path.unlink()
    dock = open_dock(config.model_copy(update={"state": scratch}), clock)
    try:
        with dock.store.transaction():
            rebuilt = _fill(Transaction(dock, LoopState()), layout)
    finally:
        dock.store.close()
    (scratch / target.name).rename(target)
    fsync_directory(config.state)
    return rebuilt


def _fill(tx: Transaction, layout: VaultLayout) -> Rebuilt:
    dock = tx.dock
    pasts: dict[str, _Past] = {}
    wearers: dict[str, str] = {}
    latest = ""
    for line in _lines(layout):
        dock.custody.restore(line)
        entry = strict_json.parse_object(line, what="custody entry")
        latest = max(latest, str(entry["at"]))
        _remember(dock, entry, pasts, wearers)
    size = dock.custody.size
    # above every number used before: no dock has sent a notice each second since 1970
    dock.store.set(MetaKey.SEQUENCE, str(int(time.time())))
    dock.store.set(MetaKey.CUSTODY_SENT, str(size))
    dock.store.set(MetaKey.DISPATCH_SINCE, max(format_instant(dock.now()), latest))
    if latest:
        dock.store.set(MetaKey.LATEST, latest)
    clips = 0
    for directory in clips_of(layout):
        _add(tx, directory, pasts.pop(directory.path.name))
        clips += 1
    for clip_id, past in sorted(pasts.items()):
        if CustodyAction.DISPOSED in past.actions:
            _add_disposed(dock, clip_id, past)
        elif past.ingested:
            raise TamperedError(f"{layout.root}: clip {clip_id} was taken in, and is not here")
    tx.record(NewEntry(CustodyAction.REBUILT, None, {"clips": clips, "entries": size}))
    return Rebuilt(clips, size)


def _lines(layout: VaultLayout) -> Iterator[bytes]:
    for path in sorted(layout.custody.glob("*.jsonl"), key=lambda found: int(found.stem)):
        yield from path.read_bytes().split(b"\n")[:-1]


def _remember(dock: DockContext, entry: dict[str, Any], pasts: dict[str, _Past], wearers: dict[str, str]) -> None:
    """`pasts` by clip id; `wearers` are the officers of cameras as last docked, by serial."""
    action, clip_id, detail = entry["action"], entry.get("clip_id"), entry["detail"]
    if action in _REMEMBERED:
        for digest in entry["attestations"]:
            dock.store.remember(digest, entry["at"])
    if action == CustodyAction.DOCKED:
        wearers[detail["camera_serial"]] = detail["officer_id"]
    if clip_id is None:
        return
    past = pasts.setdefault(clip_id, _Past())
    past.actions.add(action)
    if action == CustodyAction.INGESTED:
        past.ingested = detail
        past.docked_by = wearers.get(detail["camera_serial"], past.docked_by)
    elif action == CustodyAction.CORRECTED:
        past.corrected_to = detail["officer_id"]
    elif action == CustodyAction.REVOKED:
        past.revoked.add(detail["order_id"])


def _add(tx: Transaction, directory: ClipDirectory, past: _Past) -> None:
    dock = tx.dock
    seal = _statement(directory.seal, st.Seal)
    revision = max(int(path.stem) for path in directory.tags())
    tag = _statement(directory.tag(revision), st.Tag)
    inside = directory.path.parent.name == "quarantine"
    capture = _verified_capture(tx, directory, seal, past)
    officer = past.corrected_to or (capture.officer_id if capture else past.docked_by)
    recording = None
    if capture is not None and not quarantined(seal.integrity):
        recording = recording_of_capture(capture, seal.clip_id, officer, seal.clock_skew_seconds)
    state = State.QUARANTINED if inside else State.LOCKED
    # a camera that still has it is recognized by the bytes, not by the file's times
    origin = CameraOrigin(past.ingested["camera_serial"], officer, seal.claimed_clip_id or seal.clip_id, footage="")
    row = clip_row(tx, state, seal, tag, recording, origin, dock.store.next_sequence())
    dock.store.add_clips(
        [replace(row, receipted=CustodyAction.RECEIPTED in past.actions, erased=CustodyAction.ERASED in past.actions)]
    )
    if dock.objects is not None:
        _note_replica(dock, row, evicted=not directory.sealed.exists())
    for path in directory.orders("release"):
        _add_ended(tx, _statement(path, st.Release), past)


def _verified_capture(tx: Transaction, directory: ClipDirectory, seal: st.Seal, past: _Past) -> st.Capture | None:
    """The capture, if it held when the clip was taken in. That the clip was admitted since does not make it true."""
    if seal.capture_sha256 is None:
        return None
    if not quarantined(seal.integrity):
        capture: st.Capture = _statement(directory.capture, st.Capture)
        return capture
    serial, stem = past.ingested["camera_serial"], seal.claimed_clip_id or seal.clip_id
    return read_capture(tx.trust, read_document(directory.capture), serial, stem, seal.ingested_at).verified


def _note_replica(dock: DockContext, row: HeldClip, *, evicted: bool) -> None:
    """Whatever the replica may lack of it is to be copied; a sealed file that lies there alone was found there."""
    dock.replica.want(row.clip_id, format_instant(dock.now()))
    if evicted:
        dock.replica.held(row)
        dock.replica.evict(row.clip_id)
        dock.replica.evicted(row.clip_id)


def _add_ended(tx: Transaction, release: st.Release, past: _Past) -> None:
    """An order that was honoured. It has ended now, and is never accepted again."""
    revoked = release.order_id in past.revoked
    dock = tx.dock
    dock.store.put_order(
        HonouredOrder(
            release.order_id,
            release.clip_id,
            release.person_id,
            release.purpose,
            format_instant(release.expires_at),
            0.0,
            dock.clock.boot_id(),
            0.0,
            "revoked" if revoked else "expired",
        )
    )
    if not revoked:
        tx.record(NewEntry(CustodyAction.EXPIRED, release.clip_id, {"order_id": release.order_id}))


def _add_disposed(dock: DockContext, clip_id: str, past: _Past) -> None:
    """Its row keeps it from ever coming back."""
    said = past.ingested
    row = HeldClip(
        clip_id=clip_id,
        state=State.DISPOSED,
        integrity=said["integrity"],
        bay=said["bay"],
        camera_serial=said["camera_serial"],
        officer_id=past.corrected_to or past.docked_by,
        stem=said.get("claimed_clip_id", clip_id),
        footage="",
        capture_sha256=None,
        clip_sha256=said["clip_sha256"],
        sealed_sha256=said["sealed_sha256"],
        sealed_bytes=0,
        skew=0.0,
        started_at=None,
        triggered_at=None,
        stopped_at=None,
        ingested_at=format_instant(dock.now()),
        tag_revision=1,
        activation="",
        dispatch_due=None,
        sequence=dock.store.next_sequence(),
        receipted=True,
        erased=CustodyAction.ERASED in past.actions,
    )
    dock.store.add_clips([row])


def _statement(path: Path, kind: type[Any]) -> Any:
    return envelopes.parse(read_document(path), what=str(path)).statement(kind)
