"""One camera's stay in a bay: record, dock, wait for receipts, erase what they cover, undock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from device_sim.camera import footage, memory, receipts
from device_sim.camera.bay import Bay
from device_sim.camera.loop import LoopBay
from device_sim.camera.recording import Clip, ClipSpec, Wearer, record
from device_sim.errors import SimError, usage

_POLL_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 0.5
VERIFIED = "verified"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Stay:
    """How a camera is to be docked. `undock` None: undock if `until_receipted`. `*_seconds`, `*_after`: in seconds."""

    mounts: Path
    bay: str
    dock_keys: list[Ed25519PublicKey]
    store: Path
    faults: frozenset[str] = frozenset()
    until_receipted: bool = True
    timeout_seconds: float = 60.0
    undock: bool | None = None
    yank_after: float = 1.0
    slow_for: float = 3.0
    keep_footage: Path | None = None
    filesystem: str | None = None  # a real filesystem on a loop device, of `filesystem_bytes`
    filesystem_bytes: int = 1 << 30


@dataclass
class Visit:
    """What happened to one clip while its camera was docked. `receipt` is None, "verified", or the problem."""

    clip: Clip
    receipt: str | None = None
    refused: bool = False
    erased: bool = False


@dataclass
class Outcome:
    """The result of a docking. `folder` is where the camera's memory is afterwards."""

    wearer: Wearer
    bay: str
    visits: list[Visit] = field(default_factory=list)
    folder: Path = Path()
    yanked: bool = False

    @property
    def exit_code(self) -> int:
        """0: done; 4: a receipt was not valid; 1: a receipt did not come."""
        if any(visit.refused for visit in self.visits):
            return 4
        return 0 if all(visit.receipt in (None, VERIFIED) for visit in self.visits) else 1

    def as_dict(self, keep_footage: Path | None) -> dict[str, Any]:
        """For JSON."""
        return {
            "serial": self.wearer.serial,
            "bay": self.bay,
            "officer_id": self.wearer.officer_id,
            "yanked": self.yanked,
            "clips": [self._clip(visit, keep_footage) for visit in self.visits],
        }

    def _clip(self, visit: Visit, keep_footage: Path | None) -> dict[str, Any]:
        name = f"{visit.clip.clip_id}.mp4"
        path = keep_footage / name if keep_footage else self.folder / "clips" / name
        where = None if visit.erased and not keep_footage else str(path)
        return {**visit.clip.as_dict(), "path": where, "receipt": visit.receipt, "erased": visit.erased}


def run(wearer: Wearer, specs: list[ClipSpec], stay: Stay, say: Say) -> Outcome:
    """Records `specs` into the camera's memory and docks it. Raises SimError."""
    if stay.until_receipted and not stay.dock_keys:
        raise usage("no dock key to verify receipts with", "give --dock-key FILE.sign.pub.pem, or --until docked")
    bay = bay_of(wearer, stay)
    bay.check_free()
    remembered = memory.Memory(stay.store)
    outcome = Outcome(wearer, stay.bay, folder=bay.path)
    bay.open()
    try:
        fresh = _record(wearer, specs, stay, remembered)
        _dock(bay, wearer, stay, fresh, remembered, outcome, say)
    finally:
        bay.close()
    leave = stay.undock if stay.undock is not None else stay.until_receipted
    if leave and not outcome.yanked:
        outcome.folder = bay.undock()
        say(f"camera {wearer.serial} undocked from {stay.bay}")
    return outcome


def bay_of(wearer: Wearer, stay: Stay) -> Bay:
    """The bay of this docking: a directory, or a mount of the camera's filesystem. Raises SimError."""
    if stay.filesystem is None:
        return Bay(stay.mounts, stay.bay, wearer, stay.store)
    return LoopBay(stay.mounts, stay.bay, wearer, stay.store, stay.filesystem, stay.filesystem_bytes)


def _record(wearer: Wearer, specs: list[ClipSpec], stay: Stay, remembered: memory.Memory) -> list[str]:
    for spec in specs:
        clip = record(wearer, spec, stay.store / "clips", stay.faults)
        remembered.remember(clip)
        if stay.keep_footage is not None:
            stay.keep_footage.mkdir(parents=True, exist_ok=True)
            footage.copy(stay.store / "clips" / f"{clip.clip_id}.mp4", stay.keep_footage / f"{clip.clip_id}.mp4")
    return [spec.clip_id for spec in specs]


def _dock(
    bay: Bay, wearer: Wearer, stay: Stay, fresh: list[str], remembered: memory.Memory, outcome: Outcome, say: Say
) -> None:
    slow = fresh if "slow" in stay.faults else []
    shadow = bay.shadow() if "yank" in stay.faults else None
    bay.dock(wearer.clock(datetime.now(UTC)), held=slow)
    yank_at = time.monotonic() + stay.yank_after
    outcome.visits = [
        Visit(clip) for clip in remembered.clips.values() if (bay.path / "clips" / f"{clip.clip_id}.mp4").exists()
    ]
    total = sum(visit.clip.size_bytes for visit in outcome.visits)
    say(f"camera {wearer.serial} docked in {stay.bay}: {len(outcome.visits)} clips, {total:,} bytes")
    bay.let_grow(slow, stay.slow_for, until=yank_at if shadow else None)
    deadline = time.monotonic() + stay.timeout_seconds
    if stay.until_receipted:
        _attend(wearer, stay, bay, remembered, outcome, min(deadline, yank_at) if shadow else deadline, say)
    if shadow is not None:
        time.sleep(max(0.0, yank_at - time.monotonic()))
        outcome.folder = bay.yank(shadow, [visit.clip.clip_id for visit in outcome.visits if visit.erased])
        outcome.yanked = True
        say(f"camera {wearer.serial} yanked from {stay.bay}")
    elif stay.until_receipted:
        _report_missing(outcome, stay.timeout_seconds)


def _attend(
    wearer: Wearer, stay: Stay, bay: Bay, remembered: memory.Memory, outcome: Outcome, deadline: float, say: Say
) -> None:
    """Looks for receipts again and again, and erases each clip as soon as a valid receipt allows it."""
    pending = list(outcome.visits)
    pause = _POLL_SECONDS
    while pending:
        waiting = len(pending)
        pending = look_at_receipts(wearer, stay, bay.path, remembered, pending, say, keep="keep" in stay.faults)
        if time.monotonic() >= deadline:
            return
        pause = _POLL_SECONDS if len(pending) < waiting else min(1.2 * pause, _LONGEST_PAUSE_SECONDS)
        if pending:
            time.sleep(pause)


def look_at_receipts(
    wearer: Wearer, stay: Stay, folder: Path, remembered: memory.Memory, visits: list[Visit], say: Say, *, keep: bool
) -> list[Visit]:
    """Looks once for each receipt, and erases the clips that it allows, unless `keep`. Returns the other visits."""
    pending = []
    for visit in visits:
        if not _look(wearer, stay, folder, visit):
            pending.append(visit)
            continue
        if visit.receipt == VERIFIED and not keep:
            memory.erase(folder, visit.clip.clip_id)
            remembered.forget(visit.clip.clip_id)
            visit.erased = True
        say(f"clip {visit.clip.clip_id}: receipt {visit.receipt}{', erased' if visit.erased else ''}")
    return pending


def _look(wearer: Wearer, stay: Stay, folder: Path, visit: Visit) -> bool:
    """Whether this clip has its receipt, valid or not."""
    path = folder / "receipts" / f"{visit.clip.clip_id}.receipt.json"
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        if not folder.is_dir():
            raise SimError(f"bay {folder} vanished while the camera was docked") from None
        return False
    try:
        erase_after = receipts.erase_after(
            raw, serial=wearer.serial, sha256=visit.clip.sha256, dock_keys=stay.dock_keys
        )
    except receipts.ReceiptError as bad:
        visit.receipt, visit.refused = f"receipt {bad}", True
        return True
    # by true time: a dock sets a camera's clock, and a wrong clock must not erase too early
    if erase_after > datetime.now(UTC):
        visit.receipt = "receipt does not allow erasing yet"
        return False
    visit.receipt = VERIFIED
    return True


def _report_missing(outcome: Outcome, seconds: float) -> None:
    for visit in outcome.visits:
        if visit.receipt is None:
            visit.receipt = f"no receipt within {seconds:g} s"
