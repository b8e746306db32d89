"""What is read from a replica: the newest of what may change, nothing of a stranger's, and never two truths."""

from __future__ import annotations

import hashlib
from pathlib import Path

import obstore
import pytest
from obstore.store import MemoryStore

from daemon.model.errors import TamperedError
from daemon.vault import replica_keys as keys
from daemon.vault.objects import Objects
from daemon.vault.reading import MissingError
from daemon.vault.sources import Replica
from tests.agency import CLIP, OTHER_CLIP


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


def test_of_a_record_the_longest_counts_and_of_signed_files_there_is_one(shelf: Shelf) -> None:
    for entries, data in ((9, b"nine"), (10, b"ten"), (2, b"two")):
        shelf.put(keys.custody_key(CLIP, entries, data), data)
    shelf.put(keys.statement_key(CLIP, "seal.json", b"seal"), b"seal")
    clip = shelf.replica.clip(CLIP)
    assert (clip.custody.read_bytes(), clip.seal.read_bytes()) == (b"ten", b"seal")
    shelf.put(keys.statement_key(CLIP, "seal.json", b"another"), b"another")
    with pytest.raises(TamperedError):
        shelf.replica.clip(CLIP)
    with pytest.raises(MissingError):
        shelf.replica.clip(OTHER_CLIP)


def test_names_that_a_clip_does_not_have_are_left_alone(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(keys.statement_key(CLIP, "seal.json", b"seal"), b"seal")
    for name in ("notes.txt", "tags/x.json", "deep/er/seal.json", "releases/.release.json.new"):
        shelf.put(keys.statement_key(CLIP, name, b"x"), b"x")
    shelf.put(f"clips/{CLIP}/seal.json/readme", b"no digest")
    shelf.put("clips/readme", b"x")
    shelf.put(keys.lines_key(0, b"a\n").replace("000000000000", "zero"), b"a\n")
    shelf.replica.mirror()
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert found == [f"clips/{CLIP}/seal.json", "custody/0.jsonl"]


def test_what_is_not_what_its_key_says_is_not_read(shelf: Shelf) -> None:
    key = keys.statement_key(CLIP, "seal.json", b"seal")
    obstore.put(shelf.store, key, b"other", attributes={"sha256": key[-64:]})
    with pytest.raises(TamperedError):
        shelf.replica.clip(CLIP)
    too_large = bytes(17 << 20)
    shelf.put(keys.statement_key(OTHER_CLIP, "seal.json", too_large), too_large)
    with pytest.raises(TamperedError):
        shelf.replica.clip(OTHER_CLIP)


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
    shelf.put(keys.statement_key(CLIP, "seal.json", b"seal"), b"seal")
    shelf.put(keys.sealed_key(CLIP, digest), data)
    clip = shelf.replica.clip(CLIP)
    with shelf.replica.sealed(clip, digest, len(data)) as file:
        assert b"".join(iter(lambda: file.read(7777), b"")) == data
    obstore.put(shelf.store, keys.sealed_key(CLIP, digest), data[:-1] + b"x", attributes={"sha256": digest})
    with shelf.replica.sealed(clip, digest, len(data)) as file, pytest.raises(TamperedError):
        list(iter(lambda: file.read(7777), b""))
