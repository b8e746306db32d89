"""Every dock of an agency, from what they say on MQTT: how they stand, and whether their custody logs only grow.

Of each dock's log the newest checkpoint is remembered. Two roots of one size, or a log that became shorter, are a split
view: the dock (or somebody with its key) tells different people different histories. That a longer log extends the one
before takes its entries: whoever runs a witness has their hashes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from daemon.custody.verify import Root
from daemon.link.mqtt import Received
from daemon.model.documents import DockStatus
from daemon.model.errors import ConfigurationError, VerificationError
from daemon.model.parse import parse_model
from daemon.model.topics import Topics
from daemon.seal.note import Checkpoint, parse_checkpoint, verify_checkpoint
from daemon.seal.trust import Trust
from daemon.vault import durable

_HASH = 32
_SILENT = timedelta(minutes=3)
_AHEAD = timedelta(seconds=5)
_LOW_DISK = 10 << 30
Extends = Literal["first seen", "same", "extends", "longer", "split", "none"]


@dataclass
class DockLine:
    """One dock. `ahead`: seconds by which its clock is ahead of ours, as far as that can be told; `log` is its custody
    log's size; `worries` are in words.
    """

    dock_id: str
    status: DockStatus | None = None
    log: int | None = None
    extends: Extends = "none"
    ahead: float | None = None
    worries: list[str] = field(default_factory=list)

    @property
    def alarming(self) -> bool:
        """Whether its log contradicts itself."""
        return self.extends == "split"


def describe(
    messages: Iterable[Received],
    topics: Topics,
    trust: Trust,
    now: datetime,
    seen: Path,
    witnessed: Path | None = None,
) -> list[DockLine]:
    """One line for each enrolled dock, and for each that speaks without being enrolled; by id.

    `seen` is the folder where checkpoints are remembered, `witnessed` that of a witness of ours.
    Raises ConfigurationError for a folder that cannot be used.
    """
    lines = {dock_id: DockLine(dock_id) for dock_id in trust.statement.docks}
    notes: dict[str, str] = {}
    for message in messages:
        match topics.split(message.topic):
            case ("dock", dock_id, "status"):
                _take_status(lines.setdefault(dock_id, DockLine(dock_id)), message.payload, now)
            case ("dock", dock_id, "checkpoint"):
                notes[dock_id] = message.payload.decode("utf-8", "replace")
            case _:
                pass
    for line in lines.values():
        _worry(line, trust, now)
        if line.dock_id in notes:
            _take_checkpoint(line, notes[line.dock_id], topics.agency, trust, seen, witnessed)
    return [lines[dock_id] for dock_id in sorted(lines)]


def _take_status(line: DockLine, payload: bytes, now: datetime) -> None:
    try:
        line.status = parse_model(DockStatus, payload, what=f"status of {line.dock_id}")
    except VerificationError as error:
        line.worries.append(str(error))
        return
    if line.status.said_at is not None and line.status.said_at - now > _AHEAD:
        line.ahead = (line.status.said_at - now).total_seconds()


def _worry(line: DockLine, trust: Trust, now: datetime) -> None:
    status = line.status
    if line.dock_id not in trust.statement.docks:
        line.worries.append("not enrolled")
    if status is None:
        line.worries.append("has said nothing")
        return
    if status.state == "offline":
        line.worries.append("offline")
    elif status.said_at is not None and now - status.said_at > _SILENT:
        minutes = int((now - status.said_at).total_seconds() // 60)
        line.worries.append(f"says it is online, but said so {minutes} minutes ago: it hangs, or its clock is behind")
    if line.ahead is not None:
        line.worries.append(f"its clock is at least {line.ahead:.0f} s ahead")
    if status.state == "online" and status.vault_free_bytes < _LOW_DISK:
        line.worries.append("little disk left")
    if status.scrub_findings:
        line.worries.append(f"{status.scrub_findings} findings in its vault")


def _take_checkpoint(line: DockLine, note: str, agency: str, trust: Trust, seen: Path, witnessed: Path | None) -> None:
    key = trust.sign_key_of("dock", line.dock_id)
    if key is None:
        return
    try:
        heard = verify_checkpoint(note, key, what="its checkpoint", origin=f"bwc/{agency}/{line.dock_id}")
    except VerificationError as error:
        line.worries.append(str(error))
        return
    path = seen / f"{line.dock_id}.checkpoint.txt"
    before = _remembered(path)
    line.log, line.extends = heard.size, _compare(before, heard)
    if line.extends == "longer" and witnessed is not None and before is not None:
        line.extends = _by_witness(witnessed / line.dock_id / "leaves", before, heard)
    if line.alarming and before is not None:
        line.worries.append(
            f"SPLIT VIEW: {before.size} entries were announced before, now {heard.size} that do not follow from them;"
            f" the first is kept in {path}"
        )
    elif before is None or heard.size > before.size:
        _remember(path, note)


def _compare(before: Checkpoint | None, heard: Checkpoint) -> Extends:
    if before is None:
        return "first seen"
    if heard.size == before.size:
        return "same" if heard.root == before.root else "split"
    return "longer" if heard.size > before.size else "split"


def _by_witness(leaves: Path, before: Checkpoint, heard: Checkpoint) -> Extends:
    """Whether both roots follow from the entries that a witness heard; `longer` when it has not heard enough."""
    root, roots = Root(), {}
    try:
        with leaves.open("rb") as file:
            while root.size < heard.size and len(leaf := file.read(_HASH)) == _HASH:
                root.add(leaf)
                if root.size in {before.size, heard.size}:
                    roots[root.size] = root.value
    except OSError as error:
        raise ConfigurationError(f"{leaves}: {(error.strerror or 'cannot be read').lower()}") from None
    if any(known.size in roots and roots[known.size] != known.root for known in (before, heard)):
        return "split"
    return "extends" if heard.size in roots else "longer"


def _remembered(path: Path) -> Checkpoint | None:
    try:
        return parse_checkpoint(path.read_text("utf-8"), what=str(path))
    except FileNotFoundError:
        return None
    except (OSError, VerificationError) as error:
        raise ConfigurationError(
            f"{path}: {error}", hint="it is what was announced before: look before you remove it"
        ) from None


def _remember(path: Path, note: str) -> None:
    try:
        durable.make_directories(path.parent)
        durable.write_replacing(path, note.encode())
    except OSError as error:
        raise ConfigurationError(f"{path}: {(error.strerror or 'cannot be written').lower()}") from None
