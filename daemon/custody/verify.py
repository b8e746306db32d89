"""Verifying an exported log offline. It needs only the lines, a checkpoint and a public key.

    custody.jsonl    the log's lines
    checkpoint.txt   the signed checkpoint that covers exactly them
    custody.leaves   (optional) every leaf hash in hex: with it the changed entry can be named

Steps, numbered as in `verify_export`:
  1 the checkpoint is signed by the given key
  2 there are as many lines as it covers, and each is an entry with the right sequence
  3 their Merkle root (RFC 6962 section 2.1) is the checkpoint's
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
"""How many changed entries an error names."""


class Root:
    """Computes the Merkle root of leaves that are added one by one. Uses O(log n) memory."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Adds a leaf hash (32 bytes)."""
        index, value = self.size, leaf
        while index % 2:
            value = node_hash(self._peaks.pop(), value)
            index //= 2
        self._peaks.append(value)
        self.size += 1

    @property
    def value(self) -> bytes:
        """The root (32 bytes) over the leaves added so far (RFC 6962 section 2.1)."""
        if not self._peaks:
            return EMPTY_ROOT
        value = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            value = node_hash(peak, value)
        return value


def verify_export(
    lines: Path, note: str, key: Ed25519PublicKey, leaves: Path | None, earlier: Checkpoint | None = None
) -> Checkpoint:
    """Verifies an exported log. With `earlier`, a checkpoint that a witness kept, the log must also extend it.

    `leaves` is a file of leaf hashes, if there is one. Raises a VerificationError naming what was changed,
    ConfigurationError when a file cannot be read.
    """
    checkpoint = verify_checkpoint(note, key, what="checkpoint")  # 1
    root = Root()
    changed: list[str] = []
    expected = _leaf_hashes(leaves, checkpoint)
    for number, line in enumerate(_lines(lines)):  # 2
        leaf = leaf_hash(line)
        root.add(leaf)
        if earlier is not None and root.size == earlier.size and root.value != earlier.root:
            changed.append(f"an entry before {earlier.size} is not what the witness saw: rewritten or forked")
        problem = entry_problem(line, number)
        known = next(expected, None)
        if known is not None and leaf != known:
            problem = "is not what was logged"
        if problem is not None and len(changed) < _MOST_NAMED:
            changed.append(f"entry {number} {problem}")
    if root.size != checkpoint.size:
        changed.append(f"the log has {root.size} entries, but the checkpoint covers {checkpoint.size}")
    if earlier is not None and root.size < earlier.size:
        changed.append(f"the log has {root.size} entries, but the witness saw {earlier.size}: truncated or set back")
    if not changed and root.value != checkpoint.root:  # 3
        changed.append("an entry is not what was logged (only with custody.leaves can it be named)")
    if changed:
        raise TamperedError(f"{lines}: " + "; ".join(changed))
    return checkpoint


class Proof(Document):
    """What `bwc custody prove` prints: an inclusion proof of `line`, or, without a line, a consistency proof."""

    sequence: Size
    size: Size
    line: str = ""
    proof: Annotated[tuple[Hash, ...], Field(max_length=128)]
    checkpoint: str


def verify_proof(path: Path, key: Ed25519PublicKey, earlier: Checkpoint | None) -> Checkpoint:
    """Verifies one proof: that an entry is in the log, or that the log extends `earlier`. Returns its checkpoint.

    Raises a VerificationError, and ConfigurationError when `earlier` is needed and is None.
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
    """What is wrong with the log's line number `number`, None if nothing. Looks only at this line."""
    try:
        entry = CustodyEntry.model_validate_json(
            line, strict=True, by_alias=True, by_name=False
        )  # a fast check is enough: the root covers each byte
    except ValidationError as error:
        return f"is not a custody entry ({explain(error)})"
    return None if entry.sequence == number else f"says it is entry {entry.sequence}"


def _leaf_hashes(leaves: Path | None, checkpoint: Checkpoint) -> Iterator[bytes]:
    """The leaf hashes of the file `leaves`; none of them unless they give the checkpoint's root."""
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
