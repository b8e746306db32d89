"""Writes on a real file system, and what a failing one does."""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from daemon.database.sqlite import Database
from daemon.model.errors import BwcError, ConfigurationError, NotDurableError, TamperedError
from daemon.vault import durable
from daemon.vault.layout import VaultLayout
from daemon.vault.reading import HashingReader, MissingError, hash_file, read_document, size_of
from daemon.vault.space import DiskFullError, free_bytes, has_room, room
from daemon.vault.writing import write_verified


def failing(number: int = errno.EIO) -> NoReturn:
    raise OSError(number, os.strerror(number))


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths given to fsync, in order."""
    paths: list[str] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        paths.append(os.readlink(f"/proc/self/fd/{fd}"))
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    return paths


def test_write_new(tmp_path: Path, synced: list[str]) -> None:
    durable.write_new(tmp_path / "a", b"content", 0o600)
    assert (tmp_path / "a").read_bytes() == b"content"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    assert synced == [str(tmp_path / "a")]
    with pytest.raises(FileExistsError):
        durable.write_new(tmp_path / "a", b"other")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="link"):
        durable.write_new(tmp_path / "link", b"other")
    assert not (tmp_path / "elsewhere").exists()


def test_write_replacing_is_whole_at_every_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    durable.write_replacing(path, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _fd: failing())
        with pytest.raises(NotDurableError):
            durable.write_replacing(path, b"new")
    assert path.read_bytes() == b"old"
    durable.write_replacing(path, b"new")  # what the failure left behind is no obstacle
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


def test_rename_syncs_both_directories(tmp_path: Path, synced: list[str]) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "to").mkdir()
    (tmp_path / "from" / "a").write_text("x")
    durable.rename(tmp_path / "from" / "a", tmp_path / "to" / "a")
    assert synced == [str(tmp_path / "to"), str(tmp_path / "from")]
    with pytest.raises(NotDurableError):
        durable.rename(tmp_path / "from" / "a", tmp_path / "to" / "a")


def test_make_directories_syncs_every_parent(tmp_path: Path, synced: list[str]) -> None:
    durable.make_directories(tmp_path / "a" / "b")
    assert synced == [str(tmp_path), str(tmp_path / "a")]
    durable.make_directories(tmp_path / "a" / "b")
    assert len(synced) == 2


def test_short_writes_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[:3]))
    durable.write_new(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_one_dock_a_vault(tmp_path: Path) -> None:
    layout = VaultLayout(tmp_path)
    fd = layout.lock()
    with pytest.raises(ConfigurationError):
        layout.lock()
    os.close(fd)
    os.close(layout.lock())


class Opened:
    """What `write_verified` is given: chunks, a digest, and a check that may fail at the end."""

    def __init__(self, chunks: list[bytes], error: Exception | None = None) -> None:
        self._chunks, self._error = chunks, error
        self.digest = hashlib.sha256()

    def chunks(self) -> Iterator[memoryview]:
        yield from (memoryview(chunk) for chunk in self._chunks)

    def check(self) -> None:
        if self._error is not None:
            raise self._error

    def write(self, out: Path) -> int:
        return write_verified(out, self.chunks(), self.digest.update, self.check)


@pytest.fixture(params=["without a name", "with a temporary name"])
def nameless(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways: with O_TMPFILE, and on a file system that has none."""
    if request.param == "with a temporary name":
        real = os.open

        def refusing(path: str, flags: int, *more: int, **named: int) -> int:
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                failing(errno.EOPNOTSUPP)
            return real(path, flags, *more, **named)

        monkeypatch.setattr(os, "open", refusing)


@pytest.mark.usefixtures("nameless")
def test_verified_plaintext_appears_whole(tmp_path: Path) -> None:
    opened = Opened([b"one", b"", b"two"])
    assert opened.write(tmp_path / "a.mp4") == 6
    assert (tmp_path / "a.mp4").read_bytes() == b"onetwo"
    assert opened.digest.hexdigest() == hashlib.sha256(b"onetwo").hexdigest()
    assert (tmp_path / "a.mp4").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["a.mp4"]


@pytest.mark.usefixtures("nameless")
def test_nothing_appears_before_it_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def torn() -> Iterator[memoryview]:
        yield memoryview(b"one")
        assert not (tmp_path / "a.mp4").exists()
        raise TamperedError("segment 1 was changed")

    with pytest.raises(TamperedError):
        write_verified(tmp_path / "a.mp4", torn(), lambda _: None, lambda: None)
    with pytest.raises(TamperedError):
        Opened([b"one"], TamperedError("another clip")).write(tmp_path / "a.mp4")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda _fd, _data: failing(errno.ENOSPC))
        with pytest.raises(BwcError):
            Opened([b"one"]).write(tmp_path / "a.mp4")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _fd: failing())
        with pytest.raises(NotDurableError):
            Opened([b"one"]).write(tmp_path / "a.mp4")
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("nameless")
def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("a.mp4", "dangling"):
        with pytest.raises(ConfigurationError):
            Opened([b"one"]).write(tmp_path / name)
    appears = tmp_path / "late.mp4"
    late = Opened([b"one"])
    with pytest.raises(ConfigurationError):
        write_verified(appears, late.chunks(), lambda _: appears.write_text("mine"), late.check)
    assert (tmp_path / "a.mp4").read_text() == appears.read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["a.mp4", "dangling", "late.mp4"]
    with pytest.raises(ConfigurationError):
        Opened([b"one"]).write(tmp_path / "missing" / "a.mp4")


def test_a_document_is_never_read_beyond_its_limit(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate((16 << 20) + 5)
    assert len(read_document(tmp_path / "big")) == (16 << 20) + 1


def test_reading(tmp_path: Path) -> None:
    data = b"x" * 3_000_000
    (tmp_path / "a").write_bytes(data)
    seen: list[int] = []
    assert hash_file(tmp_path / "a", seen.append) == hashlib.sha256(data).hexdigest()
    assert sum(seen) == size_of(tmp_path / "a") == len(data)
    with (tmp_path / "a").open("rb", buffering=0) as file, HashingReader(file) as reader:
        assert reader.readall() == data
        assert reader.hexdigest == hashlib.sha256(data).hexdigest()
    for call in (hash_file, size_of):
        with pytest.raises(MissingError):
            call(tmp_path / "missing")
    assert free_bytes(tmp_path) > 0


@pytest.mark.parametrize(
    ("number", "error"),
    [(errno.ENOSPC, DiskFullError), (errno.EDQUOT, DiskFullError), (errno.EIO, NotDurableError)],
)
def test_want_of_room_is_told_from_a_failing_disk(tmp_path: Path, number: int, error: type[BwcError]) -> None:
    with pytest.raises(error), room(tmp_path):
        failing(number)
    assert has_room(tmp_path, 0)
    assert not has_room(tmp_path, 1 << 62)


SCHEMA = "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "new" / "state.db", SCHEMA, 1)
    with database.transaction():
        database.set("a", "1")
    with pytest.raises(KeyError), database.transaction():
        database.set("a", "2")
        raise KeyError
    assert database.get("a") == "1"
    assert database.get("b") is None
    assert database.db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert database.db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()
    again = Database(tmp_path / "new" / "state.db", SCHEMA, 1)
    assert again.get("a") == "1"
    again.close()


def test_a_commit_that_fails_is_not_durable(tmp_path: Path) -> None:
    deferred = SCHEMA + "CREATE TABLE child (key TEXT REFERENCES meta (key) DEFERRABLE INITIALLY DEFERRED);"
    database = Database(tmp_path / "state.db", deferred, 1)
    database.db.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(NotDurableError), database.transaction():
        database.db.execute("INSERT INTO child VALUES ('nobody')")
    database.close()


def test_an_error_that_rolled_back_already_is_the_one_that_is_told(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db", SCHEMA, 1)
    database.set("a", "1")
    with pytest.raises(sqlite3.IntegrityError), database.transaction():
        database.db.execute("INSERT OR ROLLBACK INTO meta VALUES ('a', '2')")
    assert database.get("a") == "1"
    database.close()


def test_a_database_of_another_version_or_none(tmp_path: Path) -> None:
    Database(tmp_path / "state.db", SCHEMA, 1).close()
    with pytest.raises(ConfigurationError):
        Database(tmp_path / "state.db", SCHEMA, 2)
    (tmp_path / "text").write_text("no database, but long enough to be looked at " * 30)
    with pytest.raises(ConfigurationError):
        Database(tmp_path / "text", SCHEMA, 1)


def test_a_directory_is_not_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    """An option that names a folder is a mistake in the command, not a medium of which nothing is known."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        durable.write_replacing(tmp_path / "folder", b"x")
    assert os.listdir(tmp_path) == ["folder"]
