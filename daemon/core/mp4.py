"""A quick look at an MP4's structure (ISO/IEC 14496-12 section 4.2): do its boxes fill the file exactly?

Finds a truncated container in microseconds, which decoders do not: a flag for the record, never a reason to refuse.
"""

from __future__ import annotations

from collections.abc import Callable

_MOST_BOXES = 100_000


def playable(read: Callable[[int, int], bytes], size: int) -> bool:
    """Whether the top-level boxes of a file of `size` bytes end where it ends, with a `moov` among them.

    `read(offset, count)` returns up to `count` bytes.
    """
    offset, names = 0, set()
    for _ in range(_MOST_BOXES):
        if offset == size:
            return b"moov" in names
        header = read(offset, 16)
        if len(header) < 8:
            return False
        length = int.from_bytes(header[:4], "big")
        smallest = 8
        if length == 1:  # a 64-bit length follows
            if len(header) < 16:
                return False
            length, smallest = int.from_bytes(header[8:], "big"), 16
        elif length == 0:  # to the end of the file
            length = size - offset
        if length < smallest or offset + length > size:
            return False
        names.add(header[4:8])
        offset += length
    return False
