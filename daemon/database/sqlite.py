"""A durable SQLite database: WAL, `synchronous=FULL`. A transaction is on the medium when its block ends.

After a failed commit nobody knows what is on the medium, so it raises NotDurableError: the service stops and is started
again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from daemon.database.migration import migrate
from daemon.model.errors import ConfigurationError, NotDurableError
from daemon.vault.durable import fsync_directory, make_directories

_CACHE = 16_000
"""KiB of pages kept in memory. Ids of clips have no order, so with SQLite's default of 2,000 pages are read often."""


class Database:
    """One connection, owned by one thread at a time."""

    dialect = "sqlite"

    def __init__(self, path: Path, schema: str, version: int, steps: Sequence[str] = ()) -> None:
        """Opens or creates the database; an older schema is changed by `steps` (daemon.database.migration).

        Raises ConfigurationError for a newer schema, for an older one that cannot be changed, and for a file that
        is no database; NotDurableError when a change cannot be made durable.
        """
        self._path = path
        make_directories(path.parent, mode=0o750)
        try:
            self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(schema, version, steps)
            except BaseException:
                self.db.close()
                raise
        except sqlite3.DatabaseError as error:
            raise ConfigurationError(f"{path}: {error}") from error
        fsync_directory(path.parent)  # SQLite does this too, but does not report a failure

    def _prepare(self, schema: str, version: int, steps: Sequence[str]) -> None:
        found = self.db.execute("PRAGMA user_version").fetchone()[0]
        if found > version:
            raise ConfigurationError(
                f"{self._path}: written by a newer version (schema {found}, this one knows {version})",
                hint="install that newer version again; nothing was changed",
            )
        for pragma in ("synchronous = FULL", "trusted_schema = OFF", "secure_delete = ON", f"cache_size = -{_CACHE}"):
            self.db.execute(f"PRAGMA {pragma}")
        if 0 < found < version:
            migrate(self.db, self._path, found, version, steps)
        self.db.execute("PRAGMA journal_mode = WAL")
        if found == 0:
            self.db.executescript(f"BEGIN; {schema} PRAGMA user_version = {version}; COMMIT;")

    def close(self) -> None:
        """Closes the database."""
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or none of the statements inside are durable when the block ends.

        Raises NotDurableError when the commit fails.
        """
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self.db.in_transaction:  # after some errors (disk full, I/O) SQLite has rolled back itself
                self.db.execute("ROLLBACK")
            raise
        try:
            self.db.execute("COMMIT")
        except sqlite3.Error as error:
            raise NotDurableError(f"{self._path}: commit failed ({error})") from error

    def get(self, key: str) -> str | None:
        """The value of `key` in the `meta` table, which every schema has; None without one."""
        row = self.db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def set(self, key: str, value: str) -> None:
        """Sets the value of `key` in the `meta` table."""
        self.db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def unset(self, key: str) -> None:
        """Removes `key` from the `meta` table."""
        self.db.execute("DELETE FROM meta WHERE key = ?", (key,))


@contextmanager
def read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection that sees a service's database as it is now. The service may go on running.

    Raises ConfigurationError when the database cannot be read.
    """
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise ConfigurationError(f"{path}: {error}") from None
    try:
        connection.execute("BEGIN")
        yield connection
    except sqlite3.Error as error:
        raise ConfigurationError(f"{path}: {error}") from None
    finally:
        connection.close()
