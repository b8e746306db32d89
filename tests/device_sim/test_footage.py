"""Footage is real where it says so, exact where it must be, and the same for the same seed."""

from __future__ import annotations

import hashlib
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from device_sim.camera import footage, mp4
from device_sim.errors import SimError

SMALLEST_MOVIE = len(mp4.STAND_IN)


def boxes(path: Path) -> list[str]:
    with path.open("rb") as file:
        return [kind for kind, _, _ in mp4.walk(file, path.stat().st_size)]


def first_picture(path: Path) -> bytes:
    with av.open(str(path)) as container:
        return bytes(next(container.decode(video=0)).planes[0])


@pytest.mark.parametrize(("seconds", "frames"), [(1, 30), (2.5, 75), (0, 1)])
def test_every_frame_decodes(tmp_path: Path, seconds: float, frames: int) -> None:
    path = tmp_path / "clip.mp4"
    digest = footage.record(path, seconds, 5, "label")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.average_rate == 30
        assert sum(1 for _ in container.decode(video=0)) == frames
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_fast_start_and_length(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    footage.record(path, 2, 5, "label")
    assert boxes(path).index("moov") < boxes(path).index("mdat")
    with path.open("rb") as file:
        assert mp4.duration_seconds(file, path.stat().st_size) == pytest.approx(2, abs=0.05)


def test_one_seed_one_clip(tmp_path: Path) -> None:
    names = ["a", "b", "c"]
    for name, seed in zip(names, (11, 11, 12), strict=True):
        footage.record(tmp_path / name, 1, seed, "label")
    a, b, c = ((tmp_path / name).read_bytes() for name in names)
    assert a == b
    assert a != c
    # seeds 11 and 15 have the picture's size in common: what differs is to be seen
    footage.record(tmp_path / "d", 1, 15, "label")
    assert first_picture(tmp_path / "a") != first_picture(tmp_path / "d")


def sizes() -> Iterator[int]:
    for lead in (SMALLEST_MOVIE, len(footage.one_second_clip())):
        yield from (lead - 1, lead, lead + 1, lead + 7, lead + 8, lead + 9)
    yield from (0, 1, 8, 100, 3_000_001)


def test_exactly_so_many_bytes(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    for size in sizes():
        digest = footage.of_size(path, size, 3)
        assert path.stat().st_size == size
        assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
        if size == SMALLEST_MOVIE or size >= SMALLEST_MOVIE + 8:
            assert "moov" in boxes(path), size


def test_bytes_differ_by_seed_and_still_play(tmp_path: Path) -> None:
    digests = [footage.of_size(tmp_path / f"{n}.mp4", 2_000_000, seed) for n, seed in enumerate((1, 1, 2))]
    assert digests[0] == digests[1] != digests[2]
    with av.open(str(tmp_path / "0.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 30


def test_bytes_in_constant_memory(tmp_path: Path) -> None:
    footage.one_second_clip()  # encoded before memory is counted
    tracemalloc.start()
    try:
        footage.of_size(tmp_path / "clip.mp4", 40 << 20, 1)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 8 << 20


def test_a_box_beyond_four_gib(tmp_path: Path) -> None:
    assert mp4.box_header(b"free", 2**32 - 1) == b"\xff\xff\xff\xfffree"
    assert mp4.box_header(b"free", 2**32) == b"\x00\x00\x00\x01free\x00\x00\x00\x01\x00\x00\x00\x00"
    with pytest.raises(ValueError, match="7"):
        mp4.box_header(b"free", 7)
    total = 9 * 10**9
    path = tmp_path / "sparse"
    with path.open("w+b") as file:  # sparse: nine gigabytes that are never written
        file.write(mp4.FTYP + mp4.box_header(b"free", total - len(mp4.FTYP)))
        file.truncate(total)
        assert list(mp4.walk(file, total)) == [("ftyp", 0, 24), ("free", 24, total - 24)]
        with pytest.raises(ValueError, match="free"):
            list(mp4.walk(file, total - 1))


def test_a_cut_clip_does_not_add_up(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    footage.record(path, 1, 5, "label")
    digest = footage.cut(path)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(ValueError, match="mdat"):
        boxes(path)


def test_without_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    footage.one_second_clip.cache_clear()
    try:
        with pytest.raises(SimError) as refused:
            footage.record(tmp_path / "clip.mp4", 1, 5, "label")
        assert refused.value.exit_code == 2
        assert refused.value.hint == "pip install 'bwc-dock[sim]'"
        footage.of_size(tmp_path / "clip.mp4", 70_000, 5)
        assert boxes(tmp_path / "clip.mp4") == ["ftyp", "moov", "free"]
    finally:
        footage.one_second_clip.cache_clear()
