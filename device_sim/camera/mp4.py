"""ISO base media boxes (ISO/IEC 14496-12, section 4.2): only what is needed to fill up, cut and measure a clip."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

FTYP = struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"isom", 512, b"isom", b"mp42")

# a movie of one second without tracks (8.2.2): timescale 1000, duration 1000, rate and volume 1, no transformation
_MVHD = struct.pack(
    ">I4s4xIIIIIH10x9I24xI", 108, b"mvhd", 0, 0, 1000, 1000, 1 << 16, 1 << 8,
    1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30, 1,
)  # fmt: skip
STAND_IN = FTYP + struct.pack(">I4s", 8 + len(_MVHD), b"moov") + _MVHD


def box_header(kind: bytes, total: int) -> bytes:
    """The header of a box of `total` bytes, header included: 8 bytes, or 16 with a 64-bit size from 4 GiB on.

    Raises ValueError where a box of that size cannot exist.
    """
    if total < 8:
        raise ValueError(f"a box has at least 8 bytes, not {total}")
    if total < 1 << 32:
        return struct.pack(">I4s", total, kind)
    return struct.pack(">I4sQ", 1, kind, total)


def walk(file: BinaryIO, end: int, start: int = 0) -> Iterator[tuple[str, int, int]]:
    """Yields (kind, offset, size) of each box between `start` and `end`, in bytes. Raises ValueError for a bad one."""
    at = start
    while at < end:
        file.seek(at)
        head = file.read(16)
        if len(head) < 8 or end - at < 8:
            raise ValueError(f"there is no room for a box header at {at}")
        size, kind = struct.unpack_from(">I4s", head)
        if size == 1 and len(head) == 16:
            (size,) = struct.unpack_from(">Q", head, 8)
        elif size == 0:
            size = end - at
        if size < 8 or at + size > end:
            raise ValueError(f"the {kind.decode('latin-1')} box at {at} reaches beyond {end}")
        yield kind.decode("latin-1"), at, size
        at += size


def duration_seconds(file: BinaryIO, size: int) -> float | None:
    """The movie's length in seconds, from its `mvhd` box; None when it has none. `size` is the file's, in bytes."""
    try:
        moov = next((at, length) for kind, at, length in walk(file, size) if kind == "moov")
        mvhd = next(at for kind, at, _ in walk(file, sum(moov), moov[0] + 8) if kind == "mvhd")
    except (StopIteration, ValueError):
        return None
    file.seek(mvhd + 8)
    body = file.read(32)
    form = ">20xIQ" if body[:1] == b"\x01" else ">12xII"
    timescale, duration = struct.unpack_from(form, body)
    return float(duration) / timescale if timescale else None
