"""One object: stored once under its digest, read back, never replaced; every way in which a store can fail is said."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import obstore
import pytest

from daemon.model.errors import BwcError, ConfigurationError, TamperedError, UnavailableError
from daemon.vault.reading import MissingError
from daemon.vault.replica.objects import Objects, open_objects
from tests.kit.bucket import Bucket
from tests.kit.faulty_store import Faults, proxy

pytestmark = pytest.mark.xdist_group("objects")
LARGE = 24 << 20


def key_of(data: bytes, name: str = "a") -> str:
    return f"{name}/{hashlib.sha256(data).hexdigest()}"


def file_of(folder: Path, data: bytes) -> Path:
    path = folder / "source"
    path.write_bytes(data)
    return path


@contextmanager
def through(bucket: Bucket, faults: Faults) -> Iterator[Objects]:
    """The bucket behind a faulty proxy."""
    with proxy(bucket.swift.endpoint, faults) as endpoint:
        path = bucket.folder / "faulty.toml"
        path.write_text(bucket.swift.settings.replace(bucket.swift.endpoint, endpoint))
        yield open_objects(f"{bucket.url}/dock-1", path)


@pytest.mark.parametrize("size", [0, 1, 1000, (8 << 20) - 1, 8 << 20, (8 << 20) + 1])
def test_what_is_put_is_there_and_read_back(bucket: Bucket, size: int) -> None:
    data = os.urandom(size)
    for source in (data, file_of(bucket.folder, data)):
        bucket.objects.put(key_of(data), source, size)
    assert b"".join(bucket.objects.read(key_of(data))) == data
    [stored] = bucket.objects.list("a")
    assert (stored.key, stored.size, stored.digest) == (key_of(data), size, hashlib.sha256(data).hexdigest())
    bucket.objects.look(key_of(data), size)
    bucket.objects.remove(key_of(data))
    assert not list(bucket.objects.list("a"))
    with pytest.raises(MissingError):
        bucket.objects.look(key_of(data), size)


def test_a_large_one_goes_in_parts_each_with_its_checksum(bucket: Bucket) -> None:
    data, faults = os.urandom(LARGE + 5), Faults()
    with through(bucket, faults) as objects:
        objects.put(key_of(data), file_of(bucket.folder, data), len(data))
        parts = [path for method, path in faults.seen if method == "PUT" and "partNumber=" in path]
        assert len(parts) == 4
        before = len(faults.seen)
        objects.put(key_of(data), file_of(bucket.folder, data), len(data))
        assert {method for method, _ in faults.seen[before:]} == {"HEAD", "GET"}, "not sent again"


def test_nothing_is_overwritten(bucket: Bucket) -> None:
    for size in (100, LARGE):
        data, other = os.urandom(size), os.urandom(size)
        bucket.put(key_of(data), other)
        with pytest.raises(TamperedError):
            bucket.objects.put(key_of(data), file_of(bucket.folder, data), size)
        assert bucket.get(key_of(data)) == other, "left as it is, for whoever looks into it"


def test_who_comes_between_the_look_and_the_put_is_not_overwritten(bucket: Bucket) -> None:
    data, other = b"ours", b"theirs"
    faults = Faults(answer=lambda method, path: (404, b"") if method == "HEAD" else None)
    bucket.put(key_of(data), other)
    with through(bucket, faults) as objects, pytest.raises(TamperedError):
        objects.put(key_of(data), data, len(data))
    assert bucket.get(key_of(data)) == other


def methods(faults: Faults) -> list[str]:
    seen = [method for method, _ in faults.seen]
    faults.seen.clear()
    return seen


def test_a_store_that_refuses_what_is_there_is_not_asked_again(bucket: Bucket) -> None:
    faults = Faults()
    with through(bucket, faults) as objects:
        objects.put(key_of(b"1"), b"1", 1)
        assert methods(faults) == ["HEAD", "PUT", "PUT", "GET"], "seen once to refuse"
        objects.put(key_of(b"2"), b"2", 1)
        objects.put(key_of(b"2"), b"2", 1)
        objects.put(key_of(b"3"), file_of(bucket.folder, b"3"), 1)
        assert methods(faults) == ["PUT", "GET"] * 3
        bucket.put(key_of(b"4"), b"5")
        with pytest.raises(TamperedError):
            objects.put(key_of(b"4"), b"4", 1)


def test_a_store_that_replaces_is_asked_each_time(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    put = obstore.put

    def replacing(*words: Any, **more: Any) -> Any:
        return put(*words, **more | {"mode": "overwrite"})

    monkeypatch.setattr(obstore, "put", replacing)
    for data in (b"1", b"2"):
        bucket.objects.put(key_of(data), data, 1)
    bucket.put(key_of(b"3"), b"4")
    with pytest.raises(TamperedError):
        bucket.objects.put(key_of(b"3"), b"3", 1)
    monkeypatch.undo()
    assert bucket.get(key_of(b"3")) == b"4"


@pytest.mark.parametrize("size", [100, LARGE])
def test_a_source_that_is_not_what_its_key_says_never_arrives(bucket: Bucket, size: int) -> None:
    data = os.urandom(size)
    damaged = file_of(bucket.folder, data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(TamperedError):
        bucket.objects.put(key_of(data), damaged, size)
    assert not list(bucket.objects.list("a"))
    with pytest.raises(MissingError):
        bucket.objects.put(key_of(data), bucket.folder / "nowhere", size)


@pytest.mark.parametrize("size", [100, LARGE])
def test_a_byte_that_changed_in_the_store_is_found(bucket: Bucket, size: int) -> None:
    data = os.urandom(size)
    changed = data[: size // 2] + bytes([data[size // 2] ^ 1]) + data[size // 2 + 1 :]
    bucket.put(key_of(data), changed)
    bucket.objects.look(key_of(data), size)  # nothing that can be told without reading it
    with pytest.raises(TamperedError):
        bucket.objects.check(key_of(data), size)
    for found, noted in ((data[:-1], None), (data, "0" * 64), (data, "")):
        bucket.put(key_of(data), found, noted)
        with pytest.raises(TamperedError):
            bucket.objects.look(key_of(data), size)


def on(wanted: str, what: Any) -> Callable[[str, str], Any]:
    return lambda method, path: what if method == wanted else None


BROKEN: dict[str, tuple[Faults, type[BwcError]]] = {
    "slow down": (Faults(answer=on("PUT", (503, b"<Error><Code>SlowDown</Code></Error>"))), UnavailableError),
    "forbidden": (Faults(answer=on("PUT", (403, b"<Error><Code>AccessDenied</Code></Error>"))), UnavailableError),
    "no such bucket": (Faults(answer=on("PUT", (404, b"<Error><Code>NoSuchBucket</Code></Error>"))), MissingError),
    "it asks who we are": (Faults(answer=on("HEAD", (401, b""))), UnavailableError),
    "it breaks while it is asked": (Faults(answer=on("HEAD", (500, b"oops"))), UnavailableError),
    "too large": (Faults(answer=on("PUT", (413, b"<Error><Code>EntityTooLarge</Code></Error>"))), UnavailableError),
    "there already, it says, but it is not": (Faults(answer=on("PUT", (412, b""))), MissingError),
    "done, it says, but it is not": (Faults(answer=on("PUT", (200, b""))), UnavailableError),
    "cut short, again and again": (Faults(cut=on("GET", True)), UnavailableError),
    "a bit flips on the way back": (Faults(flip=on("GET", True)), TamperedError),
    "reading it back is refused": (Faults(answer=on("GET", (503, b""))), UnavailableError),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_a_store_can_answer_is_never_taken_for_success(bucket: Bucket, what: str) -> None:
    faults, expected = BROKEN[what]
    data = os.urandom(1000)
    with through(bucket, faults) as objects, pytest.raises(expected):
        objects.put(key_of(data), data, len(data))
    bucket.objects.put(key_of(data), data, len(data))  # and it goes on once the store does


def test_an_answer_that_gets_lost_after_the_store_has_done_it(bucket: Bucket) -> None:
    data, lost = os.urandom(1000), [True]
    faults = Faults(deaf=lambda method, path: method == "PUT" and bool(lost and lost.pop()))
    with through(bucket, faults) as objects:
        objects.put(key_of(data), data, len(data))
    assert not lost
    assert len(list(bucket.objects.list("a"))) == 1


def test_words_of_a_store_are_one_line_and_hold_no_secret(bucket: Bucket) -> None:
    faults = Faults(answer=on("HEAD", (403, b"line\nline")))
    with through(bucket, faults) as objects, pytest.raises(UnavailableError) as caught:
        objects.has("a/b")
    assert "\n" not in str(caught.value) and "testing" not in str(caught.value)


def test_a_store_that_keeps_nothing_says_so_and_versions_are_seen(bucket: Bucket) -> None:
    data = b"data"
    bucket.objects.put(key_of(data), data, len(data))
    kept = bucket.objects.kept(key_of(data))
    assert (kept.until, kept.versions) == (None, False)
    with pytest.raises(MissingError):
        bucket.objects.kept(key_of(b"nowhere"))


def test_settings(tmp_path: Path) -> None:
    secret = tmp_path / "store.toml"
    for text in ('access_key_id = "hidden', "access_key_id = 5", 'no_such_setting = "x"'):
        secret.write_text(text)
        with pytest.raises(ConfigurationError) as caught:
            open_objects("s3://bucket/prefix", secret)
        assert "hidden" not in str(caught.value)
    with pytest.raises(ConfigurationError):
        open_objects("s3://bucket", tmp_path / "nowhere")
    with pytest.raises(ConfigurationError):
        open_objects("s3://bucket", endpoint="http://store.example")
    with pytest.raises(ConfigurationError):
        open_objects("what://bucket")
