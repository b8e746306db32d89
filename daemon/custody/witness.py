"""A witness: somebody else who remembers what each log has shown, so that no log can be rewritten unnoticed.

For every origin it keeps the newest checkpoint it has verified and cosigned (C2SP tlog-cosignature, Ed25519), and the
peaks of the tree over the lines it has seen. A checkpoint that does not extend the one before is a fork: both are kept.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from daemon.custody.tree import leaf_hash
from daemon.custody.verify import Root
from daemon.model.errors import TamperedError
from daemon.seal.keys import SignKey
from daemon.seal.note import Checkpoint, verify_checkpoint

_COSIGNATURE = b"\x04"  # signature type of C2SP tlog-cosignature
_MOST_WAITING = 100_000


class ForkError(TamperedError):
    """Two checkpoints of one log that cannot both be true."""


@dataclass
class WitnessedLog:
    """What the witness holds of one origin. Lines wait until the checkpoint that covers them."""

    origin: str
    newest: str | None = None
    size: int = 0
    root: Root = field(default_factory=Root)
    waiting: dict[int, bytes] = field(default_factory=dict)

    def see_line(self, sequence: int, line: bytes) -> None:
        """A custody line, in any order, repeated or not. Raises ForkError when it is not the line seen before."""
        leaf = leaf_hash(line)
        if sequence < self.root.size:
            return
        known = self.waiting.setdefault(sequence, leaf)
        if known != leaf:
            raise ForkError(f"{self.origin}: two different entries {sequence}")
        if len(self.waiting) > _MOST_WAITING:
            raise ForkError(f"{self.origin}: entries up to {min(self.waiting)} are missing")

    def see_checkpoint(self, note: str, key: Ed25519PublicKey) -> Checkpoint | None:
        """A checkpoint of this log. Returns it once it is proven to extend what was seen; None while lines are missing.

        Raises BadSignatureError for one its dock did not sign, ForkError for one that does not extend the one before.
        """
        checkpoint = verify_checkpoint(note, key, what=self.origin, origin=self.origin)
        if self.newest is not None and checkpoint.size < self.size:
            raise ForkError(f"{self.origin}: shows {checkpoint.size} entries after it had shown {self.size}")
        while self.root.size < checkpoint.size and self.root.size in self.waiting:
            self.root.add(self.waiting.pop(self.root.size))
        if self.root.size < checkpoint.size:
            return None
        if self.root.size > checkpoint.size or self.root.value != checkpoint.root:
            raise ForkError(f"{self.origin}: the checkpoint of {checkpoint.size} entries does not cover the lines seen")
        self.newest, self.size = note, checkpoint.size
        return checkpoint


def cosign(note: str, name: str, key: SignKey, at: datetime) -> str:
    """The note with one signature line more: what `name` has seen, and when (C2SP tlog-cosignature, version 1)."""
    text = note[: note.index("\n\n") + 1]
    seconds = int(at.timestamp())
    signature = key.sign(f"cosignature/v1\ntime {seconds}\n{text}".encode())
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    key_id = hashlib.sha256(name.encode() + b"\n" + _COSIGNATURE + raw).digest()[:4]
    blob = base64.b64encode(key_id + seconds.to_bytes(8, "big") + signature).decode()
    return f"{note}— {name} {blob}\n"
