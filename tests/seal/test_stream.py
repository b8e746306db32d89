"""The sealed format: byte for byte Tink's, and nothing changed in it goes unseen."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as hs

from daemon.model.errors import TamperedError
from daemon.seal import stream
from daemon.seal.stream import FIRST, HEADER, PLAIN, SEGMENT, TAG, StreamKey
from tests.kit.agency import CLIP, OTHER_CLIP
from tests.seal import tink_peer

KEY = bytes(range(32))
SIZES = {
    "empty": 0,
    "one byte": 1,
    "first segment less one": FIRST - 1,
    "first segment": FIRST,
    "first segment and one": FIRST + 1,
    "segment less one": SEGMENT - 1,
    "segment": SEGMENT,
    "segment and one": SEGMENT + 1,
    "two segments less one": FIRST + PLAIN - 1,
    "two segments": FIRST + PLAIN,
    "two segments and one": FIRST + PLAIN + 1,
    "several segments": 5 * SEGMENT + 4321,
}
every_size = pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)


def footage(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def seal(plain: bytes, key: bytes = KEY, clip_id: str = CLIP) -> bytes:
    """A sealed file, from the room's own parts."""
    sealer = StreamKey.fresh(key, clip_id)
    out = bytearray(sealer.header)
    for segment in stream.segments(len(plain)):
        sealed = bytearray(segment.sealed_length)
        part = plain[segment.offset : segment.offset + segment.length]
        sealer.encrypt_into(segment, memoryview(part), memoryview(sealed))
        out += sealed
    return bytes(out)


def unseal(sealed: bytes, key: bytes = KEY, clip_id: str = CLIP) -> bytes:
    return b"".join(bytes(part) for part in stream.decrypt(io.BytesIO(sealed), len(sealed), key, clip_id))


@every_size
def test_tink_opens_what_we_seal(size: int) -> None:
    assert tink_peer.open_sealed(seal(footage(size)), KEY, CLIP) == footage(size)


@every_size
def test_we_open_what_tink_seals(size: int) -> None:
    sealed = tink_peer.seal(footage(size), KEY, CLIP)
    assert len(sealed) == stream.sealed_size(size)
    assert unseal(sealed) == footage(size)


@given(hs.integers(0, 40 * SEGMENT))
def test_segments_cover_the_clip_and_the_sealed_file_without_gaps(size: int) -> None:
    offset, sealed_offset = 0, HEADER
    found = list(stream.segments(size))
    for number, segment in enumerate(found):
        assert (segment.index, segment.offset, segment.sealed_offset) == (number, offset, sealed_offset)
        assert segment.last == (number == len(found) - 1)
        offset += segment.length
        sealed_offset += segment.sealed_length
    assert offset == size
    assert sealed_offset == stream.sealed_size(size)
    assert len(found) == stream.segment_count(size)


@given(hs.integers(0, 40 * SEGMENT))
def test_a_sealed_length_is_a_clip_size_or_refused(sealed: int) -> None:
    try:
        size = stream.plain_size(sealed)
    except TamperedError:
        # only these lengths have no clip: shorter than header and tag, or a last segment shorter than its tag
        assert sealed < HEADER + TAG or 0 < sealed % SEGMENT <= TAG
    else:
        assert stream.sealed_size(size) == sealed


@pytest.fixture(scope="module")
def sealed() -> bytes:
    return seal(footage(3 * SEGMENT + 99))


def _truncations(sealed: bytes) -> Iterator[tuple[str, bytes]]:
    for length in (0, 1, HEADER - 1, HEADER, HEADER + TAG, len(sealed) - 1):
        yield f"cut to {length} bytes", sealed[:length]
    for end in range(SEGMENT, len(sealed), SEGMENT):
        for cut in (end - 1, end, end + 1, end + TAG):
            yield f"cut to {cut} bytes", sealed[:cut]


def _extensions(sealed: bytes) -> Iterator[tuple[str, bytes]]:
    for more in (b"\0", bytes(TAG), sealed[-(SEGMENT // 2) :], sealed[SEGMENT : 2 * SEGMENT]):
        yield f"{len(more)} bytes added", sealed + more


def _moved_segments(sealed: bytes) -> Iterator[tuple[str, bytes]]:
    one, two, three = sealed[:SEGMENT], sealed[SEGMENT : 2 * SEGMENT], sealed[2 * SEGMENT : 3 * SEGMENT]
    rest = sealed[3 * SEGMENT :]
    yield "swapped", one + three + two + rest
    yield "repeated", one + two + two + rest
    yield "left out", one + three + rest
    yield "with another file's header", seal(footage(1))[:HEADER] + sealed[HEADER:]


def _flips(sealed: bytes) -> Iterator[tuple[str, bytes]]:
    dice = random.Random(7)
    at = {0, 1, 32, 33, 39, HEADER, SEGMENT - 1, SEGMENT, SEGMENT + TAG, len(sealed) - TAG, len(sealed) - 1}
    for byte in sorted(at | {dice.randrange(len(sealed)) for _ in range(30)}):
        changed = bytearray(sealed)
        changed[byte] ^= 1 << dice.randrange(8)
        yield f"a bit of byte {byte}", bytes(changed)


@pytest.mark.parametrize("harm", [_truncations, _extensions, _moved_segments, _flips])
def test_nothing_changed_opens(sealed: bytes, harm: Callable[[bytes], Iterator[tuple[str, bytes]]]) -> None:
    for what, changed in harm(sealed):
        with pytest.raises(TamperedError):
            unseal(changed)
            pytest.fail(f"opened although {what}")


@pytest.mark.parametrize(("key", "clip_id"), [(bytes(32), CLIP), (KEY, OTHER_CLIP)])
def test_another_key_or_another_clip_does_not_open(sealed: bytes, key: bytes, clip_id: str) -> None:
    with pytest.raises(TamperedError):
        unseal(sealed, key, clip_id)


def test_what_is_yielded_before_harm_is_whole_segments_of_the_clip(sealed: bytes) -> None:
    changed = bytearray(sealed)
    changed[2 * SEGMENT + 5] ^= 1
    got = bytearray()
    with pytest.raises(TamperedError):
        for part in stream.decrypt(io.BytesIO(changed), len(changed), KEY, CLIP):
            got += part
    assert bytes(got) == footage(3 * SEGMENT + 99)[: FIRST + PLAIN]


def test_a_file_shorter_than_its_directory_entry_said(sealed: bytes) -> None:
    for missing in (1, SEGMENT):
        with pytest.raises(TamperedError):
            list(stream.decrypt(io.BytesIO(sealed[:-missing]), len(sealed), KEY, CLIP))
    with pytest.raises(TamperedError):
        list(stream.decrypt(io.BytesIO(sealed + b"\0"), len(sealed), KEY, CLIP))


def test_two_seals_of_one_clip_share_nothing() -> None:
    one, two = seal(b"footage"), seal(b"footage")
    assert one[1:HEADER] != two[1:HEADER]
    assert one[HEADER:] != two[HEADER:]
