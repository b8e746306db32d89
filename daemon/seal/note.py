"""Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint and tlog-cosignature), Ed25519.

A checkpoint's text is three lines: origin, tree size in decimal, base64 root. A blank line follows, then signature
lines `— <name> base64(4-byte key hash || signature)`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from daemon.model.errors import BadSignatureError, MalformedError
from daemon.seal.keys import SignKey

_ED25519 = b"\x01"  # signature types of C2SP signed-note
_COSIGNATURE = b"\x04"
_LIMIT = 16384
_SIZE = re.compile(r"^(0|[1-9][0-9]{0,15})\Z", re.ASCII)


@dataclass(frozen=True)
class Checkpoint:
    """A log's origin, its size in entries, and its root (32 bytes) at one moment."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The checkpoint's text, which is what is signed (C2SP tlog-checkpoint)."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def key_hash(name: str, key: Ed25519PublicKey, kind: bytes = _ED25519) -> bytes:
    """The 4-byte key id of C2SP signed-note: SHA-256(name || LF || signature type || public key)[:4]."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(name.encode() + b"\n" + kind + raw).digest()[:4]


def sign_checkpoint(checkpoint: Checkpoint, key: SignKey) -> str:
    """The checkpoint as a signed note; the signer's name is the log's origin."""
    blob = key_hash(checkpoint.origin, key.public_key()) + key.sign(checkpoint.text.encode())
    return f"{checkpoint.text}\n— {checkpoint.origin} {base64.b64encode(blob).decode()}\n"


def cosign(note: str, name: str, key: SignKey, now: datetime) -> str:
    """`note` with the signature line of the witness `name` added (C2SP tlog-cosignature, cosignature/v1).

    `now` is the time of the cosignature, rounded down to seconds. Raises MalformedError when `note` is no signed note.
    """
    seconds = int(now.timestamp())
    signature = key.sign(_cosigned(_split(note, "checkpoint")[0], seconds))
    blob = key_hash(name, key.public_key(), _COSIGNATURE) + seconds.to_bytes(8, "big") + signature
    return f"{note}— {name} {base64.b64encode(blob).decode()}\n"


def verify_cosignature(note: str, name: str, key: Ed25519PublicKey, *, what: str) -> datetime:
    """The time at which the witness `name` cosigned. Raises MalformedError, or BadSignatureError if it did not."""
    text, signatures = _split(note, what)
    expected = key_hash(name, key, _COSIGNATURE)
    for signer, blob in signatures:
        if signer == name and blob[:4] == expected and len(blob) == 4 + 8 + 64:
            seconds = int.from_bytes(blob[4:12], "big")
            try:
                key.verify(blob[12:], _cosigned(text, seconds))
                return datetime.fromtimestamp(seconds, UTC)
            except (InvalidSignature, ValueError, OverflowError, OSError):
                raise BadSignatureError(f"{what}: the cosignature of {name} is not valid") from None
    raise BadSignatureError(f"{what}: the checkpoint carries no cosignature of {name} by the given key")


def _cosigned(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def parse_checkpoint(note: str, *, what: str) -> Checkpoint:
    """The checkpoint in a note; its signature is not checked. Raises MalformedError naming `what`."""
    text, _ = _split(note, what)
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0]:
        raise MalformedError(f"{what}: a checkpoint has three lines: origin, size, root")
    if not _SIZE.match(lines[1]):
        raise MalformedError(f"{what}: the tree size is not a decimal number")
    try:
        root = _base64(lines[2])
    except (binascii.Error, ValueError):
        raise MalformedError(f"{what}: the root is not base64") from None
    if len(root) != 32:
        raise MalformedError(f"{what}: the root is not a SHA-256 digest")
    return Checkpoint(lines[0], int(lines[1]), root)


def verify_checkpoint(note: str, key: Ed25519PublicKey, *, what: str, origin: str | None = None) -> Checkpoint:
    """The checkpoint in a note, which `key` must have signed under the checkpoint's origin as its name.

    Raises MalformedError, or BadSignatureError when `key` did not sign it, or its origin is not `origin`.
    """
    checkpoint = parse_checkpoint(note, what=what)
    if origin is not None and checkpoint.origin != origin:
        raise BadSignatureError(f"{what}: a checkpoint of {checkpoint.origin!r}, not of {origin!r}")
    text, signatures = _split(note, what)
    expected = key_hash(checkpoint.origin, key)
    for name, blob in signatures:
        if name == checkpoint.origin and blob[:4] == expected:
            try:
                key.verify(blob[4:], text.encode())
            except InvalidSignature:
                raise BadSignatureError(f"{what}: the checkpoint's signature is not valid") from None
            return checkpoint
    raise BadSignatureError(f"{what}: the checkpoint carries no signature by the expected key")


def _split(note: str, what: str) -> tuple[str, list[tuple[str, bytes]]]:
    if len(note) > _LIMIT:
        raise MalformedError(f"{what}: larger than a checkpoint can be")
    text, separator, tail = note.rpartition("\n\n")
    if not separator or not tail.endswith("\n"):
        raise MalformedError(f"{what}: not a signed note")
    signatures = []
    for line in tail[:-1].split("\n"):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "—":
            raise MalformedError(f"{what}: a signature line is malformed")
        try:
            blob = _base64(parts[2])
        except (binascii.Error, ValueError):
            raise MalformedError(f"{what}: a signature is not base64") from None
        signatures.append((parts[1], blob))
    return text + "\n", signatures


def _base64(text: str) -> bytes:
    """Decodes canonical standard base64 (RFC 4648, section 3.5). Raises ValueError."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("not canonical")
    return data
