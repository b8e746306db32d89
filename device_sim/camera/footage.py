"""Footage: real H.264 video in MP4, or a file of an exact size.

`record`, `of_size`, `copy` and `cut` write a file, make it durable, and return its SHA-256 in lowercase hex. The same
seed gives the same bytes.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import random
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from device_sim.camera import mp4
from device_sim.errors import SimError, usage

if TYPE_CHECKING:
    import av.filter

FRAMES_PER_SECOND = 30
_CHUNK = 1 << 20
_SIZES = ((320, 240), (352, 288), (320, 180), (400, 224))


def record(path: Path, seconds: float, seed: int, label: str) -> str:
    """Writes a video of `seconds` at 30 frames a second, fast-start; at least one frame."""
    encode(path, max(1, round(seconds * FRAMES_PER_SECOND)), seed, label)
    return _sync_and_hash(path)


def encode(path: Path, frames: int, seed: int, label: str) -> None:
    """Writes H.264 in MP4. With one encoder thread and no time in the container, the bytes are always the same."""
    try:
        import av
    except ImportError as missing:
        raise usage("footage needs PyAV, which is not installed", "pip install 'bwc-dock[sim]'") from missing
    width, height = _SIZES[seed % len(_SIZES)]
    flags = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path), "w", format="mp4", options=flags) as container:
        container.metadata["title"] = label
        stream = container.add_stream(
            "libx264", rate=FRAMES_PER_SECOND, options={"preset": "ultrafast", "crf": "28", "threads": "1"}
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1
        graph = _picture(width, height, seed)
        for _ in range(frames):
            frame = graph.pull()
            if not isinstance(frame, av.VideoFrame):  # never happens: it is for the type checker
                raise SimError("the test picture has no video")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _picture(width: int, height: int, seed: int) -> av.filter.Graph:
    """FFmpeg's moving test picture. The seed chooses its colour and a box, so that people can tell clips apart."""
    import av.filter

    dice = random.Random(seed)
    box = f"x={dice.randrange(width // 2)}:y={dice.randrange(height // 2)}:w={dice.randrange(40, 120)}:h=40:t=fill"
    graph = av.filter.Graph()
    chain = [
        graph.add("testsrc2", f"size={width}x{height}:rate={FRAMES_PER_SECOND}"),
        graph.add("hue", f"h={dice.randrange(360)}"),
        graph.add("drawbox", f"{box}:color=0x{dice.randrange(1 << 24):06x}"),
        graph.add("format", "pix_fmts=yuv420p"),
        graph.add("buffersink"),
    ]
    for left, right in itertools.pairwise(chain):
        left.link_to(right)
    graph.configure()
    return graph


def of_size(path: Path, size: int, seed: int) -> str:
    """Writes exactly `size` bytes, in constant memory: a one-second clip, then a box of pseudo-random bytes.

    If the clip does not fit, or PyAV is not installed, an empty movie takes its place. A file that is too small for
    that, too, has only pseudo-random bytes.
    """
    lead = next((lead for lead in (one_second_clip(), mp4.STAND_IN) if size == len(lead) or size >= len(lead) + 8), b"")
    digest = hashlib.sha256()
    with path.open("wb") as file:
        _put(file, lead, digest)
        rest = size - len(lead)
        if lead and rest:
            header = mp4.box_header(b"free", rest)
            _put(file, header, digest)
            rest -= len(header)
        _noise(file, rest, seed, digest)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


@functools.cache
def one_second_clip() -> bytes:
    """The clip with which a file of `of_size` begins; an empty movie when PyAV is not installed."""
    with tempfile.TemporaryDirectory(prefix="bwc-sim-") as folder:
        path = Path(folder) / "second.mp4"
        try:
            encode(path, FRAMES_PER_SECOND, 0, "bwc-sim")
        except SimError:
            return mp4.STAND_IN
        return path.read_bytes()


def _noise(file: BinaryIO, count: int, seed: int, digest: hashlib._Hash) -> None:
    """Pseudo-random bytes from the seed: AES-CTR over zeros. They cannot be compressed, and are made quickly."""
    key = hashlib.sha256(struct.pack(">Q", seed % (1 << 64))).digest()
    stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    zeros = bytes(min(_CHUNK, count))
    while count:
        block = stream.update(zeros if count >= len(zeros) else zeros[:count])
        _put(file, block, digest)
        count -= len(block)


def _put(file: BinaryIO, data: bytes, digest: hashlib._Hash) -> None:
    file.write(data)
    digest.update(data)


def copy(source: Path, path: Path) -> str:
    """Copies an existing clip. Raises SimError when `source` cannot be read."""
    try:
        with source.open("rb") as original, path.open("wb") as file:
            while chunk := original.read(_CHUNK):
                file.write(chunk)
    except OSError as bad:
        raise usage(f"cannot copy {source}", (bad.strerror or "unreadable").lower()) from bad
    return _sync_and_hash(path)


def cut(path: Path) -> str:
    """Cuts off the end of the file, as when a camera's battery is empty."""
    os.truncate(path, path.stat().st_size * 3 // 5)
    return _sync_and_hash(path)


def _sync_and_hash(path: Path) -> str:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_durably(path: Path, raw: bytes) -> None:
    """Writes a small file durably. It appears complete, by a rename."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
