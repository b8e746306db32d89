"""Checking a vault without its dock: every clip's statements, custody and bytes, and the custody log's files.

Reads only. What it needs is the vault, the agency's trust and nothing secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from daemon.custody.evidence import Finding, check_tags_and_orders, verify_clip
from daemon.custody.record import Proven
from daemon.custody.tree import leaf_hash
from daemon.custody.verify import Root, entry_problem
from daemon.model.errors import BwcError
from daemon.model.statements import Seal, Statement
from daemon.model.types import is_clip_id
from daemon.seal import envelope as envelopes
from daemon.seal.note import Checkpoint
from daemon.seal.trust import Trust
from daemon.vault.layout import ClipDirectory, VaultLayout
from daemon.vault.reading import hash_file, read_document, size_of

S = TypeVar("S", bound=Statement)


@dataclass(frozen=True)
class Vault:
    """What is checked, and against what. `now` serves where a time of signing is not known."""

    layout: VaultLayout
    agency: str
    trust: Trust
    now: datetime
    read_data: bool


class VaultCheck:
    """One walk over a vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._proven: dict[int, bytes] = {}  # leaf hashes of entries that some clip's record proves
        self._checkpoint: Checkpoint | None = None

    def run(self, clips: set[str] | None, progress: Callable[[str], None]) -> Iterator[Finding]:
        """Findings, as they are found. `clips` restricts the check; `progress` is told each clip's id."""
        for place in ("clips", "quarantine"):
            folder = self._vault.layout.root / place
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                if clips is not None and path.name not in clips:
                    continue
                progress(path.name)
                if is_clip_id(path.name):
                    yield from self._check_clip(ClipDirectory(path), path.name)
                else:
                    yield Finding(None, str(path), "is no clip's directory")
        if clips is None:
            yield from self._check_log()

    def _check_clip(self, clip: ClipDirectory, clip_id: str) -> Iterator[Finding]:
        vault = self._vault
        seal = None
        try:
            seal = envelopes.parse(read_document(clip.seal), what=str(clip.seal)).statement(Seal)
        except BwcError as error:
            yield Finding(clip_id, str(clip.seal), str(error))
        else:
            try:
                self._remember(verify_clip(clip, clip_id, vault.agency, vault.trust).custody)
            except BwcError as error:  # its message names the file
                yield Finding(clip_id, str(clip.path), str(error))
        if seal is not None:
            yield from _check_bytes(vault, clip, clip_id, seal)
        yield from check_tags_and_orders(clip, clip_id, vault.trust, seal.ingested_at if seal else vault.now)

    def _remember(self, custody: Proven) -> None:
        for entry, line in zip(custody.entries, custody.lines, strict=True):
            self._proven[entry.sequence] = leaf_hash(line)
        if self._checkpoint is None or custody.checkpoint.size > self._checkpoint.size:
            self._checkpoint = custody.checkpoint

    def _check_log(self) -> Iterator[Finding]:
        """The log's lines in the vault, against what the clips' records prove and their newest checkpoint."""
        folder, root, named = self._vault.layout.custody, Root(), False
        paths = sorted(folder.glob("*.jsonl"), key=lambda p: int(p.stem) if p.stem.isdigit() else -1)
        whole = str(paths[0]) if len(paths) == 1 else str(folder)
        for path in paths:
            for line in path.read_bytes().split(b"\n")[:-1]:
                number, leaf = root.size, leaf_hash(line)
                root.add(leaf)
                problem = entry_problem(line, number)
                if leaf != self._proven.get(number, leaf):
                    problem = "is not what was logged"
                if problem is not None:
                    named = True
                    yield Finding(None, str(path), f"entry {number} {problem}")
                covered = self._checkpoint
                if covered and not named and root.size == covered.size and root.value != covered.root:
                    yield Finding(None, whole, f"some entry below {root.size} is not what was logged")
        if self._checkpoint and root.size < self._checkpoint.size:
            problem = f"the log has {root.size} entries, a signed checkpoint covers {self._checkpoint.size}"
            yield Finding(None, whole, problem)


def _check_bytes(vault: Vault, clip: ClipDirectory, clip_id: str, seal: Seal) -> Iterator[Finding]:
    try:
        size = size_of(clip.sealed)
        if size != seal.sealed_bytes:
            yield Finding(clip_id, str(clip.sealed), f"has {size} bytes, sealed were {seal.sealed_bytes}")
        elif vault.read_data and hash_file(clip.sealed) != seal.sealed_sha256:
            yield Finding(clip_id, str(clip.sealed), "its bytes are not those that were sealed")
    except BwcError as error:
        yield Finding(clip_id, str(clip.sealed), str(error))
