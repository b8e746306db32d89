"""An older database is brought up to date: never without a durable copy, and all of it or nothing."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from daemon.database.sqlite import Database
from daemon.model.errors import ConfigurationError
from daemon.vault import durable
from tests.kit.mounting import tmpfs
from tests.kit.precinct import wait_until

OLD = "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
STEPS = ("CREATE TABLE second (id TEXT);", "INSERT INTO second SELECT value FROM meta; CREATE TABLE third (id TEXT);")
ENDLESS = """CREATE TABLE many (n INTEGER);
WITH RECURSIVE count(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count) INSERT INTO many SELECT n FROM count;"""
"""A step that writes until it is stopped."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return make_old(tmp_path / "state.db")


def make_old(path: Path, size: int = 1) -> Path:
    database = Database(path, OLD, 1)
    with database.transaction():
        database.set("a", "x" * size)
    database.close()
    return path


def content(path: Path) -> tuple[int, list[str], list[tuple[str, int]]]:
    """Its schema's number, its tables, and what `meta` holds."""
    with closing(sqlite3.connect(path)) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        rows = db.execute("SELECT key, length(value) FROM meta").fetchall()
        return db.execute("PRAGMA user_version").fetchone()[0], tables, rows


def test_each_step_runs_once_and_a_copy_from_before_stays(old: Path) -> None:
    old.chmod(0o600)
    for version, tables in (
        (2, ["meta", "second"]),
        (3, ["meta", "second", "third"]),
        (3, ["meta", "second", "third"]),
    ):
        Database(old, OLD, version, STEPS[: version - 1]).close()
        assert content(old) == (version, tables, [("a", 1)])
    copies = sorted(old.parent.glob("*.bak"))
    assert [copy.name for copy in copies] == ["state.db.1.bak", "state.db.2.bak"]
    assert [content(copy)[:2] for copy in copies] == [(1, ["meta"]), (2, ["meta", "second"])]
    assert all(copy.stat().st_mode & 0o777 == 0o600 for copy in copies)


def test_several_steps_at_once(old: Path) -> None:
    database = Database(old, OLD, 3, STEPS)
    assert database.db.execute("SELECT id FROM second").fetchall() == [("x",)]
    assert database.db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert database.db.execute("PRAGMA synchronous").fetchone() == (2,)
    database.close()
    assert [copy.name for copy in old.parent.glob("*.bak")] == ["state.db.1.bak"]


def test_what_is_only_in_the_write_ahead_log_is_in_the_copy(old: Path) -> None:
    """As after a kill: nothing was checkpointed."""
    script = f"""
import os, sys
from pathlib import Path
from daemon.database.sqlite import Database
database = Database(Path(sys.argv[1]), {OLD!r}, 1)
database.set("late", "1")
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", script, str(old)], check=True)
    assert old.with_name("state.db-wal").stat().st_size > 0
    Database(old, OLD, 3, STEPS).close()
    assert content(old.with_name("state.db.1.bak"))[2] == [("a", 1), ("late", 1)] == content(old)[2]


def test_the_copy_is_durable_before_anything_is_changed(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int]] = []
    real_fsync, real_directory = durable.fsync, durable.fsync_directory

    def fsync(fd: int, what: str) -> None:
        real_fsync(fd, what)
        if ".bak" in what:
            seen.append(("copy", content(old)[0]))

    def fsync_directory(path: Path) -> None:
        real_directory(path)
        if path == old.parent and old.with_name("state.db.1.bak").exists():
            seen.append(("name", content(old)[0]))

    monkeypatch.setattr(durable, "fsync", fsync)
    monkeypatch.setattr(durable, "fsync_directory", fsync_directory)
    Database(old, OLD, 3, STEPS).close()
    assert seen == [("copy", 1), ("name", 1)]


def test_a_newer_one_is_refused_and_left_alone(old: Path) -> None:
    Database(old, OLD, 3, STEPS).close()
    before = old.read_bytes()
    with pytest.raises(ConfigurationError, match="newer") as refused:
        Database(old, OLD, 2, STEPS[:1])
    assert refused.value.hint is not None
    assert old.read_bytes() == before
    assert not old.with_name("state.db.3.bak").exists()


def test_one_that_is_too_old_is_refused_and_left_alone(old: Path) -> None:
    with pytest.raises(ConfigurationError):
        Database(old, OLD, 3, STEPS[1:])
    assert content(old) == (1, ["meta"], [("a", 1)])
    assert not old.with_name("state.db.1.bak").exists()


def test_a_step_that_fails_changes_nothing(old: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Database(old, OLD, 3, (STEPS[0], "INSERT INTO nowhere VALUES (1);"))
    assert "state.db.1.bak" in str(refused.value.hint)
    assert content(old) == content(old.with_name("state.db.1.bak")) == (1, ["meta"], [("a", 1)])
    Database(old, OLD, 3, STEPS).close()
    assert content(old)[0] == 3


def test_while_another_program_uses_it(old: Path) -> None:
    other = sqlite3.connect(old)
    other.execute("SELECT * FROM meta").fetchall()
    with pytest.raises(ConfigurationError, match="another program"):
        Database(old, OLD, 3, STEPS)
    other.close()
    assert content(old) == (1, ["meta"], [("a", 1)])
    Database(old, OLD, 3, STEPS).close()
    assert content(old)[0] == 3


def test_killed_in_the_middle(old: Path) -> None:
    script = "import sys; from pathlib import Path; from daemon.database.sqlite import Database\n"
    script += f"Database(Path(sys.argv[1]), {OLD!r}, 2, ({ENDLESS!r},))"
    child = subprocess.Popen([sys.executable, "-c", script, str(old)])
    try:
        wait_until(lambda: old.stat().st_size > 8 << 20, "the step's rows to reach the file itself")
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert old.with_name("state.db-journal").stat().st_size > 0
    assert content(old.with_name("state.db.1.bak")) == (1, ["meta"], [("a", 1)])
    Database(old, OLD, 3, STEPS).close()
    assert content(old) == (3, ["meta", "second", "third"], [("a", 1)])


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    with tmpfs(tmp_path / "small", "3m") as made:
        yield made


def fill(folder: Path, leave: int) -> Path:
    path = folder / "filler"
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    path.write_bytes(bytes(free - leave))
    return path


def test_no_room_for_the_copy(small: Path) -> None:
    old = make_old(small / "state.db", 600_000)
    filler = fill(small, 300_000)
    with pytest.raises(ConfigurationError) as refused:
        Database(old, OLD, 3, STEPS)
    assert "free" in str(refused.value.hint)
    assert sorted(path.name for path in small.iterdir()) == ["filler", "state.db"]
    assert content(old) == (1, ["meta"], [("a", 600_000)])
    filler.unlink()
    Database(old, OLD, 3, STEPS).close()
    assert content(old)[0] == 3


def test_no_room_for_what_a_step_writes(small: Path) -> None:
    old = make_old(small / "state.db", 600_000)
    with pytest.raises(ConfigurationError, match="full"):
        Database(old, OLD, 2, (ENDLESS,))
    assert content(old) == content(old.with_name("state.db.1.bak")) == (1, ["meta"], [("a", 600_000)])
    Database(old, OLD, 3, STEPS).close()
    assert content(old)[0] == 3
