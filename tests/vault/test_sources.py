"""What is read from a replica: the newest of what may change, and nothing of a stranger's."""

from __future__ import annotations

import hashlib
from pathlib import Path

import obstore
import pytest
from obstore.store import MemoryStore

from daemon.model.errors import TamperedError
from daemon.vault.reading import MissingError
from daemon.vault.replica import keys as keys
from daemon.vault.replica import small_files
from daemon.vault.replica.objects import Objects
from daemon.vault.sources import Replica
from tests.kit.agency import CLIP, OTHER_CLIP


class Shelf:
    """A store in memory, and a replica read from it."""

    def __init__(self, folder: Path) -> None:
        self.store = MemoryStore()
        self.replica = Replica(Objects(self.store, "s3://evidence/dock-1"), folder)

    def put(self, key: str, data: bytes) -> None:
        obstore.put(self.store, key, data, attributes={"sha256": hashlib.sha256(data).hexdigest()})


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def folded(**files: bytes) -> bytes:
    return small_files.pack({f"{name}.json": data for name, data in files.items()})


def test_of_a_clips_papers_the_longest_count(shelf: Shelf) -> None:
    for entries, data in ((9, b"nine"), (10, b"ten"), (2, b"two")):
        held = folded(custody=data, seal=b"seal")
        shelf.put(keys.papers_key(CLIP, entries, held), held)
    clip = shelf.replica.clip(CLIP)
    assert (clip.custody.read_bytes(), clip.seal.read_bytes()) == (b"ten", b"seal")
    with pytest.raises(MissingError):
        shelf.replica.clip(OTHER_CLIP)


def test_names_that_a_clip_does_not_have_are_left_alone(shelf: Shelf, tmp_path: Path) -> None:
    strange = (
        "notes.txt",
        "tags/x.json",
        "deep/er/seal.json",
        "releases/.release.json.new",
        "../seal.json",
        "/seal.json",
    )
    held = small_files.pack(dict.fromkeys(strange, b"x") | {"seal.json": b"seal", "tags/1.json": "é\n".encode()})
    shelf.put(keys.papers_key(CLIP, 1, held), held)
    shelf.put(f"clips/{CLIP}/papers.json/readme", b"no digest")
    shelf.put(f"clips/{CLIP}/seal.json/{'0' * 64}", b"no papers")
    shelf.put("clips/readme", b"x")
    shelf.put(keys.lines_key(0, b"a\n").replace("000000000000", "zero"), b"a\n")
    shelf.replica.mirror()
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert found == [f"clips/{CLIP}/seal.json", f"clips/{CLIP}/tags/1.json", "custody/0.jsonl"]
    assert (tmp_path / "clips" / CLIP / "tags" / "1.json").read_text() == "é\n"


def test_what_is_not_what_its_key_says_is_not_read(shelf: Shelf) -> None:
    held = folded(seal=b"seal")
    key = keys.papers_key(CLIP, 0, held)
    obstore.put(shelf.store, key, folded(seal=b"other"), attributes={"sha256": key[-64:]})
    with pytest.raises(TamperedError):
        shelf.replica.clip(CLIP)
    too_large = bytes(17 << 20)
    shelf.put(keys.papers_key(OTHER_CLIP, 0, too_large), too_large)
    with pytest.raises(TamperedError):
        shelf.replica.clip(OTHER_CLIP)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"files": []}', b'{"files": {"seal.json": 1}}', b'{"files": {"a": "", "a": ""}}', b"\xff"],
)
def test_papers_that_nobody_folded_are_named(shelf: Shelf, data: bytes) -> None:
    key = keys.papers_key(CLIP, 0, data)
    shelf.put(key, data)
    with pytest.raises(TamperedError, match=key):
        shelf.replica.clip(CLIP)


def test_what_is_no_text_and_what_is_too_much_is_not_folded_or_unfolded() -> None:
    with pytest.raises(TamperedError):
        folded(seal=b"\xff")
    many = small_files.pack({f"tags/{number}.json": b"" for number in range(10_001)})
    with pytest.raises(TamperedError, match="10001 files"):
        small_files.unpack(many, what="papers")


def test_the_logs_pieces_are_put_together_also_where_one_came_twice(shelf: Shelf) -> None:
    lines = [b"%d\n" % number for number in range(6)]
    for first, end in ((0, 2), (2, 4), (2, 5), (5, 6)):  # after 2 came a crash, and one line more
        data = b"".join(lines[first:end])
        shelf.put(keys.lines_key(first, data), data)
    for size in (4, 6, 5):
        shelf.put(keys.checkpoint_key(size, b"of %d" % size), b"of %d" % size)
    mirrored = shelf.replica.mirror()
    assert (mirrored.custody / "0.jsonl").read_bytes() == b"".join(lines)
    assert mirrored.checkpoint.read_bytes() == b"of 6"


def test_a_sealed_file_is_streamed_and_its_last_read_tells_whether_it_held(shelf: Shelf) -> None:
    data = bytes(range(256)) * 10_000
    digest = hashlib.sha256(data).hexdigest()
    held = folded(seal=b"seal")
    shelf.put(keys.papers_key(CLIP, 0, held), held)
    shelf.put(keys.sealed_key(CLIP, digest), data)
    clip = shelf.replica.clip(CLIP)
    with shelf.replica.sealed(clip, digest, len(data)) as file:
        assert b"".join(iter(lambda: file.read(7777), b"")) == data
    obstore.put(shelf.store, keys.sealed_key(CLIP, digest), data[:-1] + b"x", attributes={"sha256": digest})
    with shelf.replica.sealed(clip, digest, len(data)) as file, pytest.raises(TamperedError):
        list(iter(lambda: file.read(7777), b""))
