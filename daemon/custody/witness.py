"""A witness keeps what docks publish of their custody logs, so that a later change of a log can be proven.

For each dock it keeps the leaf hash of every entry it has heard, and the newest checkpoint that these hashes prove,
cosigned (C2SP tlog-cosignature, cosignature/v1). A log that is rewritten, forked or truncated does not fit any more.

    <folder>/<dock_id>/leaves           the leaf hashes of all entries in order, 32 bytes each
    <folder>/<dock_id>/checkpoint.txt   the newest checkpoint that these prove, with the cosignature
    <folder>/<dock_id>/alarms.jsonl     what did not fit, with both versions
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
"""How many leaf hashes to keep in memory of entries whose earlier entries have not come yet."""


@dataclass(frozen=True)
class Alarm:
    """Something that a dock published and that does not fit what it published before."""

    dock_id: str
    problem: str
    evidence: dict[str, Any]


@dataclass(frozen=True)
class Cosigner:
    """Who cosigns: the witness's name, without spaces or `+` (usually a domain or URL), and its key."""

    name: str
    key: SignKey


class WitnessedLog:
    """What is known of one dock's log. Not thread-safe. `sync` makes new entries durable."""

    def __init__(self, folder: Path, dock_id: str, cosigner: Cosigner) -> None:
        """Opens or creates `folder`/`dock_id`. Raises ConfigurationError when it cannot be used."""
        self.dock_id = dock_id
        self._folder = folder / dock_id
        self._cosigner = cosigner
        self._root = Root()
        self._waiting: dict[int, bytes] = {}
        self._proving: dict[int, tuple[Checkpoint, str]] = {}  # checkpoints, by size, whose entries have not all come
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
        """How many entries are known, counted from the first to the first gap."""
        return self._root.size

    @property
    def missing(self) -> int:
        """How many of the entries that the newest heard checkpoint covers are still unknown."""
        return max([0, *(size - self.size for size in self._proving)])

    def close(self) -> None:
        """Closes its files."""
        os.close(self._leaves)

    def entry(self, sequence: int, line: bytes, now: datetime) -> list[Alarm]:
        """Takes one line of the log, from the dock or from a copy of its log. Returns the alarms that follow."""
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
        """Takes a checkpoint; the caller has verified the dock's signature. Returns the alarms that follow.

        The checkpoint is cosigned and kept when every entry that it covers is known.
        """
        if heard.size > self.size:
            self._proving = {**self._proving, heard.size: (heard, note)} if len(self._proving) < 100 else self._proving
            return []
        if self._root_at(heard.size) != heard.root:
            return self._alarm(
                f"its checkpoint of {heard.size} entries does not fit its earlier entries: rewritten or forked",
                {"heard": note, "root_before": base64.b64encode(self._root_at(heard.size)).decode()},
            )
        if self.kept is not None and heard.size < self.kept.size:
            problem = f"its log has {heard.size} entries and had {self.kept.size} before: truncated or set back"
            return self._alarm(problem, {"heard": note, "kept": self._path("checkpoint.txt").read_text("utf-8")})
        if self.kept is None or heard.size > self.kept.size:
            self._keep(heard, note, now)
        return []

    def sync(self) -> None:
        """Makes all entries taken so far durable. Raises NotDurableError."""
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
        """Writes the alarm to disk before it is returned. The same problem gives one alarm only."""
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
        """Reads the leaf hashes. Cuts off an incomplete last one (a crash while writing): its entry will come again."""
        whole = os.fstat(self._leaves).st_size // _HASH * _HASH
        os.ftruncate(self._leaves, whole)
        for sequence in range(whole // _HASH):
            self._root.add(self._leaf(sequence))

    def _path(self, name: str) -> Path:
        return self._folder / name


def describe(log: WitnessedLog) -> dict[str, Any]:
    """What is known of one dock's log, for output: counts of entries known, witnessed and missing."""
    return {
        "dock_id": log.dock_id,
        "entries": log.size,
        "witnessed": log.kept.size if log.kept else 0,
        "missing": log.missing,
    }
