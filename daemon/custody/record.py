"""A clip's custody record, `custody.json`: its entries, each with a proof that it is in the custody log.

    {"schema": "bwc.clip-custody/1", "clip_id", "checkpoint": <signed note>, "entries": [{"sequence", "line", "proof"}]}

`line` is the log's line, unchanged. `proof` is the inclusion proof of RFC 6962 section 2.1.1, as hashes in base64.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field

from daemon.custody import tree
from daemon.custody.log import CustodyLog
from daemon.custody.proof import check_inclusion
from daemon.custody.tree import leaf_hash
from daemon.model import strict_json
from daemon.model.documents import CustodyEntry
from daemon.model.errors import TamperedError
from daemon.model.parse import parse_model
from daemon.model.types import ClipId, Document
from daemon.seal.keys import SignKey
from daemon.seal.note import Checkpoint, verify_checkpoint

LIMIT = 16 << 20
"""Largest record that is read, in bytes."""
Hash = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]


class ProvenEntry(Document):
    """A custody entry, with the proof that it is in the log."""

    sequence: Annotated[int, Field(ge=0)]
    line: str
    proof: Annotated[tuple[Hash, ...], Field(max_length=64)]


class ClipCustody(Document):
    """The content of `custody.json`."""

    schema_: Annotated[Literal["bwc.clip-custody/1"], Field(alias="schema")] = "bwc.clip-custody/1"
    clip_id: ClipId
    checkpoint: str
    entries: tuple[ProvenEntry, ...]


class Records:
    """Makes clips' custody records from the log as it is now, all with one checkpoint, signed by `key`."""

    def __init__(self, log: CustodyLog, key: SignKey) -> None:
        self._log = log
        self._size = log.size
        self._checkpoint = log.checkpoint(key, self._size)
        self._hash = functools.cache(functools.partial(_hash_over, log.node))

    def of(self, clip_id: str) -> bytes:
        """One clip's record, as JSON."""
        return self.of_all([clip_id])[clip_id]

    def of_all(self, clip_ids: Collection[str]) -> dict[str, bytes]:
        """Several clips' records, as JSON, by clip id."""
        found = self._log.of_clips(clip_ids).items()
        return {clip_id: self._record(clip_id, lines) for clip_id, lines in found}

    def _record(self, clip_id: str, lines: list[tuple[int, bytes]]) -> bytes:
        entries = [
            {"sequence": sequence, "line": line.decode(), "proof": self._proof(sequence)} for sequence, line in lines
        ]
        known = {"schema": "bwc.clip-custody/1", "clip_id": clip_id, "checkpoint": self._checkpoint}
        return strict_json.dump(known | {"entries": entries})

    def _proof(self, sequence: int) -> list[str]:
        return [self._hash(*leaves) for leaves in tree.inclusion_ranges(sequence, self._size)]


def _hash_over(read: tree.Read, start: int, end: int) -> str:
    return base64.b64encode(tree.range_hash(start, end, read)).decode()


@dataclass(frozen=True)
class Proven:
    """A clip's entries and their lines, all proven to be in the log of `checkpoint`."""

    entries: list[CustodyEntry]
    lines: list[bytes]
    checkpoint: Checkpoint


def verify_record(data: bytes, clip_id: str, origin: str, key: Ed25519PublicKey, *, what: str) -> Proven:
    """Verifies a record: each entry against a checkpoint that `key` signed for `origin`.

    Raises a VerificationError naming `what` and the entry that fails.
    """
    record = parse_model(ClipCustody, data, what=what, limit=LIMIT)
    if record.clip_id != clip_id:
        raise TamperedError(f"{what}: is the custody of another clip ({record.clip_id})")
    if strict_json.dump(record.plain()) != data:
        raise TamperedError(f"{what}: is not written as a dock writes it")
    checkpoint = verify_checkpoint(record.checkpoint, key, what=what, origin=origin)
    entries, lines = [], []
    for proven in record.entries:
        line = proven.line.encode()
        proof = [base64.b64decode(node) for node in proven.proof]
        if tuple(base64.b64encode(node).decode() for node in proof) != proven.proof:
            raise TamperedError(f"{what}: the proof of entry {proven.sequence} is not canonical base64")
        try:
            check_inclusion(leaf_hash(line), proven.sequence, checkpoint.size, proof, checkpoint.root)
        except TamperedError as error:
            raise TamperedError(f"{what}: {error}") from None
        lines.append(line)
        entries.append(read_entry(line, what=f"{what}: entry {proven.sequence}"))
        if (entries[-1].sequence, entries[-1].clip_id) != (proven.sequence, clip_id):
            raise TamperedError(f"{what}: entry {proven.sequence} is about another clip, or has another sequence")
    return Proven(entries, lines, checkpoint)


def read_entry(line: bytes, *, what: str) -> CustodyEntry:
    """Parses one line of a custody log. Raises MalformedError or SchemaError naming `what`."""
    return parse_model(CustodyEntry, line, what=what)
