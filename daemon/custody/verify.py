"""Verifying an exported log offline, from its lines, a checkpoint and a public key alone.

    custody.jsonl    the log's lines
    checkpoint.txt   the signed checkpoint that covers exactly them
    custody.leaves   (optional) every leaf hash in hex: lets a verifier name the very entry that was changed

Steps, numbered as in `verify_export`:
  1 the checkpoint is signed by the given key
  2 the lines are as many as it covers, each an entry with its own place as sequence
  3 their Merkle root (RFC 6962) is the checkpoint's
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field, ValidationError

from daemon.custody.proof import check_consistency, check_inclusion
from daemon.custody.record import Hash
from daemon.custody.tree import EMPTY_ROOT, leaf_hash, node_hash
from daemon.model.documents import CustodyEntry
from daemon.model.errors import ConfigurationError, TamperedError
from daemon.model.parse import explain, parse_model
from daemon.model.types import Document, Size
from daemon.seal.note import Checkpoint, verify_checkpoint
from daemon.vault.reading import read_document

_MOST_NAMED = 20


class Root:
    """The Merkle root of leaves added one by one, in memory that grows with the logarithm of their number."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Adds a leaf hash."""
        index, value = self.size, leaf
        while index % 2:
            value = node_hash(self._peaks.pop(), value)
            index //= 2
        self._peaks.append(value)
        self.size += 1

    @property
    def value(self) -> bytes:
        """The tree head over what was added (RFC 6962 section 2.1)."""
        if not self._peaks:
            return EMPTY_ROOT
        value = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            value = node_hash(peak, value)
        return value


def verify_export(
    lines: Path, note: str, key: Ed25519PublicKey, leaves: Path | None, earlier: Checkpoint | None = None
) -> Checkpoint:
    """Checks an exported log; with `earlier`, also that it extends that checkpoint, which somebody kept.

    Raises VerificationError's subclasses naming what was changed.
    """
    checkpoint = verify_checkpoint(note, key, what="checkpoint")  # 1
    root = Root()
    changed: list[str] = []
    expected = _leaf_hashes(leaves, checkpoint)
    for number, line in enumerate(_lines(lines)):  # 2
        leaf = leaf_hash(line)
        root.add(leaf)
        if earlier is not None and root.size == earlier.size and root.value != earlier.root:
            changed.append(f"some entry below {earlier.size} is not what was witnessed: rewritten or forked")
        problem = entry_problem(line, number)
        known = next(expected, None)
        if known is not None and leaf != known:
            problem = "is not what was logged"
        if problem is not None and len(changed) < _MOST_NAMED:
            changed.append(f"entry {number} {problem}")
    if root.size != checkpoint.size:
        changed.append(f"the log has {root.size} entries, the checkpoint covers {checkpoint.size}")
    if earlier is not None and root.size < earlier.size:
        changed.append(f"the log has {root.size} entries, {earlier.size} were witnessed: truncated or set back")
    if not changed and root.value != checkpoint.root:  # 3
        changed.append("some entry is not what was logged (without custody.leaves it cannot be named)")
    if changed:
        raise TamperedError(f"{lines}: " + "; ".join(changed))
    return checkpoint


class Proof(Document):
    """What `bwc custody prove` prints: an inclusion proof of `line`, or without one a consistency proof."""

    sequence: Size
    size: Size
    line: str = ""
    proof: Annotated[tuple[Hash, ...], Field(max_length=128)]
    checkpoint: str


def verify_proof(path: Path, key: Ed25519PublicKey, earlier: Checkpoint | None) -> Checkpoint:
    """Checks one proof: that an entry is in the log, or that the log extends `earlier`. Returns its checkpoint.

    Raises VerificationError's subclasses, ConfigurationError when `earlier` is needed and not given.
    """
    what = str(path)
    proof = parse_model(Proof, read_document(path), what=what, limit=1 << 20)
    checkpoint = verify_checkpoint(proof.checkpoint, key, what=what)
    nodes = [base64.b64decode(node) for node in proof.proof]
    if proof.line:
        check_inclusion(leaf_hash(proof.line.encode()), proof.sequence, checkpoint.size, nodes, checkpoint.root)
    elif earlier is None:
        raise ConfigurationError(f"{path}: proves that a log extends an earlier checkpoint; give it as --witnessed")
    else:
        check_consistency(earlier.size, checkpoint.size, earlier.root, checkpoint.root, nodes)
    return checkpoint


def leaves_text(lines: Iterable[bytes]) -> Iterator[str]:
    """The lines of `custody.leaves`."""
    for line in lines:
        yield leaf_hash(line).hex() + "\n"


def entry_problem(line: bytes, number: int) -> str | None:
    """What is wrong with a log's line number `number`, as far as the line alone tells."""
    try:
        entry = CustodyEntry.model_validate_json(
            line, strict=True, by_alias=True, by_name=False
        )  # the root, not this, vouches for each byte: fast is enough
    except ValidationError as error:
        return f"is no custody entry ({explain(error)})"
    return None if entry.sequence == number else f"says it is entry {entry.sequence}"


def _leaf_hashes(leaves: Path | None, checkpoint: Checkpoint) -> Iterator[bytes]:
    """The leaf hashes, only if they themselves lead to the checkpoint's root."""
    if leaves is None:
        return iter(())
    found, root = [], Root()
    for line in _lines(leaves):
        try:
            leaf = bytes.fromhex(line.decode("ascii"))
        except ValueError:
            return iter(())
        found.append(leaf)
        root.add(leaf)
    return iter(found) if (root.size, root.value) == (checkpoint.size, checkpoint.root) else iter(())


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    raise TamperedError(f"{path}: ends in the middle of a line")
                yield line[:-1]
    except OSError as error:
        raise ConfigurationError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
