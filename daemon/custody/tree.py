"""Merkle trees (RFC 6962 section 2.1) over hashes that are stored by (level, index).

Only hashes of complete subtrees are stored. Level 0 has the leaves; (level, index) covers the leaves from
index * 2**level up to, not including, (index + 1) * 2**level. To append a leaf stores two hashes on average; a proof
reads O(log n).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

Node = tuple[int, int]
Read = Callable[[int, int], bytes]
"""Reads the stored hash (32 bytes) of a complete subtree, by level and index."""

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(line: bytes) -> bytes:
    """SHA-256 of 0x00 and the entry's line (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\x00" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of 0x01 and the hashes of both halves (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def append(size: int, leaf: bytes, read: Read) -> Iterator[tuple[Node, bytes]]:
    """The hashes to store, each with its (level, index), when `leaf` (a leaf hash) becomes leaf number `size`."""
    level, index, value = 0, size, leaf
    yield (level, index), value
    while index % 2:
        value = node_hash(read(level, index - 1), value)
        level, index = level + 1, index // 2
        yield (level, index), value


def root(size: int, read: Read) -> bytes:
    """The root of the tree's first `size` leaves."""
    return range_hash(0, size, read) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, read: Read) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962 section 2.1.1. Raises ValueError for a leaf outside the tree."""
    return [range_hash(start, end, read) for start, end in inclusion_ranges(index, size)]


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """For each hash of an inclusion proof, the range (start, end) of leaves that it covers.

    Neighbouring entries share most of these ranges, so a caller can keep their hashes. Raises ValueError for a leaf
    outside the tree.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    ranges: list[tuple[int, int]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_proof(old: int, new: int, read: Read) -> list[bytes]:
    """PROOF(old, D[new]) of RFC 6962 section 2.1.2. Raises ValueError unless 0 <= old <= new."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {old} cannot be the beginning of one of {new}")
    if old in {0, new}:
        return []
    proof: list[bytes] = []
    start, end, whole = 0, new, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(range_hash(middle, end, read))
            end = middle
        else:
            proof.append(range_hash(start, middle, read))
            start, whole = middle, False
    if not whole:
        proof.append(range_hash(start, end, read))
    return proof[::-1]


def _split(count: int) -> int:
    """The largest power of two that is smaller than `count`."""
    return int(1 << (count - 1).bit_length() - 1)


def range_hash(start: int, end: int, read: Read) -> bytes:
    """The hash over the leaves from `start` up to, not including, `end`.

    `start` must be a multiple of the smallest power of two that is not smaller than the range.
    """
    count = end - start
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return read(level, start >> level)
    middle = start + _split(count)
    return node_hash(range_hash(start, middle, read), range_hash(middle, end, read))
