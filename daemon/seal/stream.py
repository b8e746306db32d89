"""Tink Streaming AEAD, `AES256_GCM_HKDF_1MB`, in exactly Tink's wire format.

    header   = length (1 byte, 40) | salt (32) | nonce prefix (7)
    key      = HKDF-SHA256(data key, salt, info = associated data)
    segment  = AES-256-GCM(key, nonce prefix | index (4 bytes, big endian) | 1 if last else 0, plaintext)

A ciphertext segment is 1 MiB; the first holds the header too, so that every segment starts at a multiple of 1 MiB.
The associated data is the clip_id in UTF-8. The last segment is marked, so that a truncated file does not open.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from daemon.model.errors import TamperedError

FORMAT: Final = "AES256_GCM_HKDF_1MB"
SEGMENT = 1 << 20
"""Bytes of a full ciphertext segment."""
HEADER = 40
TAG = 16
PLAIN = SEGMENT - TAG
"""Bytes of plaintext in a full segment that is not the first."""
FIRST = PLAIN - HEADER
"""Bytes of plaintext in a full first segment."""


def segment_count(size: int) -> int:
    """The number of segments for a plaintext of `size` bytes; at least one."""
    return 1 if size <= FIRST else 1 + -(-(size - FIRST) // PLAIN)


def sealed_size(size: int) -> int:
    """The size of the sealed file, in bytes, for a plaintext of `size` bytes."""
    return size + HEADER + TAG * segment_count(size)


def plain_size(sealed: int) -> int:
    """The size of the plaintext, in bytes, of a sealed file of `sealed` bytes.

    Raises TamperedError for a size that no sealed file can have.
    """
    size = sealed - HEADER - TAG * max(1, -(-sealed // SEGMENT))
    if size < 0 or sealed_size(size) != sealed:
        raise TamperedError(f"no sealed file has {sealed} bytes: it was truncated or extended")
    return size


@dataclass(frozen=True)
class Segment:
    """Where one segment lies: offsets and lengths in the plaintext and in the sealed file, in bytes.

    The header before the first segment does not count as a part of it.
    """

    index: int
    offset: int
    length: int
    last: bool

    @property
    def sealed_offset(self) -> int:
        """Where it begins in the sealed file, in bytes."""
        return HEADER if self.index == 0 else self.index * SEGMENT

    @property
    def sealed_length(self) -> int:
        """Its length in the sealed file, tag included, in bytes."""
        return self.length + TAG


def segments(size: int) -> Iterator[Segment]:
    """The segments of a plaintext of `size` bytes, in order."""
    count = segment_count(size)
    for index in range(count):
        start = 0 if index == 0 else FIRST + (index - 1) * PLAIN
        end = min(size, FIRST + index * PLAIN)
        yield Segment(index, start, end - start, index == count - 1)


class StreamKey:
    """The key of one sealed file, derived from its data key. Encrypts and decrypts single segments."""

    def __init__(self, data_key: bytes, clip_id: str, header: bytes) -> None:
        """`data_key` has 32 bytes, `header` has HEADER. Raises TamperedError when `header` is not of this format."""
        if len(header) != HEADER or header[0] != HEADER:
            raise TamperedError(f"not a sealed file: its header is not one of {FORMAT}")
        self.header = header
        salt, self._prefix = header[1:33], header[33:]
        derived = HKDF(algorithm=SHA256(), length=32, salt=salt, info=clip_id.encode()).derive(data_key)
        self._aead = AESGCM(derived)

    @classmethod
    def fresh(cls, data_key: bytes, clip_id: str) -> StreamKey:
        """The key for a new sealed file, with a new random salt and nonce prefix."""
        return cls(data_key, clip_id, bytes([HEADER]) + os.urandom(HEADER - 1))

    def encrypt_into(self, segment: Segment, plain: memoryview, out: memoryview) -> None:
        """Encrypts `plain` (segment.length bytes) into `out` (segment.sealed_length bytes). They must not overlap."""
        self._aead.encrypt_into(self._nonce(segment), plain, None, out)

    def decrypt_into(self, segment: Segment, sealed: memoryview, out: memoryview) -> None:
        """Decrypts `sealed` (segment.sealed_length bytes) into `out` (segment.length bytes).

        Raises TamperedError naming the segment when it was changed.
        """
        try:
            self._aead.decrypt_into(self._nonce(segment), sealed, None, out)
        except InvalidTag:
            raise TamperedError(
                f"segment {segment.index} (bytes {segment.sealed_offset} to "
                f"{segment.sealed_offset + segment.sealed_length}) was changed, or the key is another clip's"
            ) from None

    def _nonce(self, segment: Segment) -> bytes:
        return self._prefix + segment.index.to_bytes(4, "big") + (b"\x01" if segment.last else b"\x00")


def decrypt(source: BinaryIO, sealed_bytes: int, data_key: bytes, clip_id: str) -> Iterator[memoryview]:
    """Yields the plaintext of a sealed file segment by segment. Each segment is authenticated before it is yielded.

    A yielded view is valid until the next one. Raises TamperedError when something was changed, removed or added.
    """
    size = plain_size(sealed_bytes)
    key = StreamKey(data_key, clip_id, source.read(HEADER))
    sealed, plain = memoryview(bytearray(SEGMENT)), memoryview(bytearray(SEGMENT))
    for segment in segments(size):
        view = sealed[: segment.sealed_length]
        if _read_fully(source, view) != segment.sealed_length:
            raise TamperedError(f"the sealed file ends inside segment {segment.index}")
        key.decrypt_into(segment, view, plain[: segment.length])
        yield plain[: segment.length]
    if source.read(1):
        raise TamperedError("the sealed file has more bytes after its last segment")


def _read_fully(source: BinaryIO, view: memoryview) -> int:
    done = 0
    while done < len(view):
        count = source.readinto(view[done:])  # type: ignore[attr-defined]
        if not count:
            break
        done += count
    return done
