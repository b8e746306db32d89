"""A witness: remembers what docks have said of their logs, so that none can later say otherwise.

It keeps, for each dock, the leaf hash of every entry it heard of and the newest checkpoint those lead to, cosigned
(C2SP tlog-cosignature, cosignature/v1). A log that was rewritten, forked or cut short no longer fits.

    <folder>/<dock_id>/leaves           the entries' leaf hashes, 32 bytes each
    <folder>/<dock_id>/checkpoint.txt   the newest checkpoint that they prove, with our cosignature
    <folder>/<dock_id>/alarms.jsonl     what did not fit, with both sides of it
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from daemon.custody.tree import leaf_hash
from daemon.custody.verify import Root
from daemon.model import strict_json
from daemon.model.errors import ConfigurationError
from daemon.seal.keys import SignKey
from daemon.seal.note import Checkpoint, cosign, parse_checkpoint
from daemon.vault import durable

_HASH = 32
_MOST_WAITING = 10_000
"""Entries kept that came before the ones they follow."""


@dataclass(frozen=True)
class Alarm:
    """Something a dock says that does not fit what it said before."""

    dock_id: str
    problem: str
    evidence: dict[str, Any]


@dataclass(frozen=True)
class Cosigner:
    """Who cosigns: a name without spaces or `+` (by custom a domain or URL), and the witness's own key."""

    name: str
    key: SignKey


class WitnessedLog:
    """What is known of one dock's log. One thread owns it; `sync` makes what was learnt durable."""

    def __init__(self, folder: Path, dock_id: str, cosigner: Cosigner) -> None:
        """Opens or begins it. Raises ConfigurationError for a folder that cannot be used."""
        self.dock_id = dock_id
        self._folder = folder / dock_id
        self._cosigner = cosigner
        self._root = Root()
        self._waiting: dict[int, bytes] = {}
        self._proving: dict[int, tuple[Checkpoint, str]] = {}  # checkpoints whose entries have not all come
        self._alarmed: set[str] = set()
        try:
            durable.make_directories(self._folder)
            self._leaves = os.open(self._folder / "leaves", os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            self._read_leaves()
            path = self._folder / "checkpoint.txt"
            self.kept = parse_checkpoint(path.read_text("utf-8"), what=str(path)) if path.exists() else None
        except OSError as error:
            raise ConfigurationError(f"{self._folder}: {(error.strerror or 'cannot be used').lower()}") from None

    @property
    def size(self) -> int:
        """How many entries are known, from the first without a gap."""
        return self._root.size

    @property
    def missing(self) -> int:
        """How many entries the newest checkpoint heard of covers beyond those."""
        return max([0, *(size - self.size for size in self._proving)])

    def close(self) -> None:
        """Closes its files."""
        os.close(self._leaves)

    def entry(self, sequence: int, line: bytes, now: datetime) -> list[Alarm]:
        """One line of the log, as the dock published it (or as a copy of its log holds it)."""
        leaf = leaf_hash(line)
        if sequence < self.size:
            if self._leaf(sequence) == leaf:
                return []
            evidence = {"sequence": sequence, "line": line.decode("utf-8", "replace")}
            evidence |= {"leaf_before": self._leaf(sequence).hex(), "leaf_now": leaf.hex()}
            return self._alarm(f"entry {sequence} is not what it was: the log was rewritten or forked", evidence)
        if sequence > self.size:
            if len(self._waiting) < _MOST_WAITING:
                self._waiting[sequence] = leaf
            return []
        alarms = self._append(leaf, now)
        while (following := self._waiting.pop(self.size, None)) is not None:
            alarms += self._append(following, now)
        return alarms

    def checkpoint(self, heard: Checkpoint, note: str, now: datetime) -> list[Alarm]:
        """A checkpoint whose signature by the dock held. Cosigned once every entry it covers is known."""
        if heard.size > self.size:
            self._proving = {**self._proving, heard.size: (heard, note)} if len(self._proving) < 100 else self._proving
            return []
        if self._root_at(heard.size) != heard.root:
            return self._alarm(
                f"its checkpoint of {heard.size} entries does not fit what it said before: rewritten or forked",
                {"heard": note, "root_before": base64.b64encode(self._root_at(heard.size)).decode()},
            )
        if self.kept is not None and heard.size < self.kept.size:
            problem = f"its log has {heard.size} entries and had {self.kept.size}: truncated or set back"
            return self._alarm(problem, {"heard": note, "kept": self._path("checkpoint.txt").read_text("utf-8")})
        if self.kept is None or heard.size > self.kept.size:
            self._keep(heard, note, now)
        return []

    def sync(self) -> None:
        """Everything learnt is durable once this returns. Raises NotDurableError."""
        durable.fsync(self._leaves, str(self._path("leaves")))

    def _append(self, leaf: bytes, now: datetime) -> list[Alarm]:
        durable.write_all(self._leaves, leaf)
        self._root.add(leaf)
        proven = self._proving.pop(self.size, None)
        return self.checkpoint(*proven, now) if proven is not None else []

    def _keep(self, heard: Checkpoint, note: str, now: datetime) -> None:
        self.sync()
        cosigned = cosign(note, self._cosigner.name, self._cosigner.key, now)
        durable.write_replacing(self._path("checkpoint.txt"), cosigned.encode())
        self.kept = heard

    def _alarm(self, problem: str, evidence: dict[str, Any]) -> list[Alarm]:
        """Written down before anybody is told; the same again is no news."""
        if problem in self._alarmed:
            return []
        self._alarmed.add(problem)
        line = strict_json.dump({"problem": problem, **evidence}) + b"\n"
        fd = os.open(self._path("alarms.jsonl"), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            durable.write_all(fd, line)
            durable.fsync(fd, str(self._path("alarms.jsonl")))
        finally:
            os.close(fd)
        return [Alarm(self.dock_id, problem, evidence)]

    def _root_at(self, size: int) -> bytes:
        if size == self.size:
            return self._root.value
        root = Root()
        for sequence in range(size):
            root.add(self._leaf(sequence))
        return root.value

    def _leaf(self, sequence: int) -> bytes:
        return os.pread(self._leaves, _HASH, sequence * _HASH)

    def _read_leaves(self) -> None:
        """The leaves so far; a torn last one (a crash while appending) is cut off: it will be heard again."""
        whole = os.fstat(self._leaves).st_size // _HASH * _HASH
        os.ftruncate(self._leaves, whole)
        for sequence in range(whole // _HASH):
            self._root.add(self._leaf(sequence))

    def _path(self, name: str) -> Path:
        return self._folder / name


def describe(log: WitnessedLog) -> dict[str, Any]:
    """What is known of one dock's log, for people and programs."""
    return {
        "dock_id": log.dock_id,
        "entries": log.size,
        "witnessed": log.kept.size if log.kept else 0,
        "missing": log.missing,
    }
