"""The look at an MP4's boxes: a truncated container is found wherever it was cut."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as hs

from daemon.core import mp4
from device_sim.camera import footage


def playable(data: bytes) -> bool:
    return mp4.playable(lambda offset, count: data[offset : offset + count], len(data))


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def wide(kind: bytes, body: bytes = b"") -> bytes:
    """A box with a 64-bit size."""
    return struct.pack(">I4sQ", 1, kind, 16 + len(body)) + body


FTYP, MOOV, MDAT = box(b"ftyp", b"isom"), box(b"moov", bytes(100)), box(b"mdat", bytes(1000))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("footage") / "clip.mp4"
    footage.record(path, 1.0, 1, "clip")
    return path.read_bytes()


def boundaries(data: bytes) -> set[int]:
    """Where a box ends: a cut just there leaves whole boxes."""
    ends, at = set(), 0
    while at < len(data):
        at += int.from_bytes(data[at : at + 4], "big")
        ends.add(at)
    return ends


def test_real_footage_cut_anywhere(real: bytes) -> None:
    assert playable(real)
    whole = boundaries(real)
    dice = random.Random(3)
    cuts = {
        *range(64),
        *(end + by for end in whole for by in (-1, 1, 7)),
        *(dice.randrange(len(real)) for _ in range(200)),
    }
    for cut in cuts - whole:
        if cut < len(real):
            assert not playable(real[:cut]), cut
    assert not playable(real + b"\0")


def test_a_file_read_from_disk_in_small_pieces(real: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(real)
    asked: list[int] = []
    with (tmp_path / "a.mp4").open("rb") as file:

        def read(offset: int, count: int) -> bytes:
            asked.append(count)
            file.seek(offset)
            return file.read(count)

        assert mp4.playable(read, len(real))
    assert max(asked) <= 16


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (FTYP + MOOV + MDAT, True),
        (FTYP + MDAT + MOOV, True),
        (FTYP + MOOV + wide(b"mdat", bytes(10)), True),
        (FTYP + wide(b"moov") + MDAT, True),
        (FTYP + MOOV + struct.pack(">I4s", 0, b"mdat") + bytes(99), True),  # to the end of the file
        (FTYP + MDAT, False),
        (FTYP + struct.pack(">I4s", 0, b"mdat") + MOOV, False),  # then the moov is footage, not a box
        (FTYP + MOOV + struct.pack(">I4s", 7, b"mdat"), False),
        (FTYP + MOOV + struct.pack(">I4sQ", 1, b"mdat", 15), False),
        (FTYP + MOOV + struct.pack(">I4sQ", 1, b"mdat", 17), False),
        (FTYP + MOOV + struct.pack(">I4sQ", 1, b"mdat", 2**64 - 1), False),
        (FTYP + MOOV + struct.pack(">I4s", 1, b"mdat"), False),
        (FTYP + MOOV + struct.pack(">I4sQ", 1, b"mdat", 8), False),  # its own length would be the next box
        (FTYP + MOOV + bytes(7), False),
        (b"", False),
        (b"not an mp4 at all, but long enough", False),
    ],
)
def test_boxes(data: bytes, expected: bool) -> None:
    assert playable(data) is expected


def test_too_many_boxes_end_the_look() -> None:
    reads = 0

    def read(_offset: int, _count: int) -> bytes:
        nonlocal reads
        reads += 1
        return box(b"free")

    assert not mp4.playable(read, 8 * 10**9)
    assert reads <= 100_000


@given(hs.binary(max_size=200), hs.integers(0, 2**63))
def test_any_bytes_and_any_size_give_an_answer(data: bytes, size: int) -> None:
    assert isinstance(mp4.playable(lambda offset, count: data[offset : offset + count], size), bool)
