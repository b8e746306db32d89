"""A durable PostgreSQL database that several services share. It has the methods of daemon.database.sqlite.

The transactions of all services run one after the other: each takes the same lock when it begins, so that a decision
sees all earlier decisions. A service that loses its connection ends and is started again, because its locks end with
the session that holds them.
"""

from __future__ import annotations

import functools
import logging
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

import psycopg

from daemon.model.errors import ConfigurationError, NotDurableError, UnavailableError

log = logging.getLogger(__name__)
_CONNECT = {
    "connect_timeout": 10,
    # a server that does not answer counts as lost after about 11 s; tcp_user_timeout is in milliseconds
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 11_000,
}
_SETTINGS = (
    # the server notices a lost service as soon: before that, no other service can lead
    *("SET tcp_keepalives_idle = 5", "SET tcp_keepalives_interval = 2", "SET tcp_keepalives_count = 3"),
    # a service that hangs in a transaction stops all the others
    "SET idle_in_transaction_session_timeout = '20s'",
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') IN ('off', 'local')",
)


class AdvisoryLock(IntEnum):
    """The locks between sessions. The numbers never change: services of two versions may use one database."""

    TRANSACTION = 0x62776301  # "bwc" in ASCII: differs from other programs' locks in the same database
    LEAD = 0x62776302
    MEMBER = 0x62776303


class Postgres:
    """One session, owned by one thread at a time."""

    dialect = "postgresql"
    shared = True

    def __init__(self, url: str, password: str | None = None) -> None:
        """Connects to libpq's `url`. libpq takes what is missing there from PGHOST etc., or a service or password file.

        Raises UnavailableError when the server does not answer or refuses us; ConfigurationError for a wrong URL, and
        for a server that does not keep what it has committed (fsync off) or does not use UTF-8.
        """
        options: dict[str, Any] = _CONNECT if password is None else _CONNECT | {"password": password}
        try:
            self._session = psycopg.connect(url, autocommit=True, cursor_factory=psycopg.RawCursor, **options)
        except psycopg.ProgrammingError as error:
            raise ConfigurationError(f"store.url: {_words(error)}") from None
        except psycopg.OperationalError as error:
            raise UnavailableError(
                f"store.url: {_words(error)}", hint="is PostgreSQL running, and may this user connect?"
            ) from None
        self._where = f"postgresql {self._session.info.host}/{self._session.info.dbname}"
        try:
            self._prepare()
        except BaseException:
            self._session.close()
            raise

    def _prepare(self) -> None:
        for setting in _SETTINGS:
            self.execute(setting)
        for name, wanted in (("fsync", "on"), ("server_encoding", "UTF8")):
            found = self.execute("SELECT current_setting(?)", (name,)).fetchone()[0]
            if found != wanted:
                raise ConfigurationError(f"{self._where}: {name} is {found} there, and must be {wanted}")
        schema = self.execute("SELECT current_schema()").fetchone()[0]
        self._key = zlib.crc32(str(schema).encode()) >> 1  # services with one schema share its locks

    def close(self) -> None:
        """Closes the connection."""
        self._session.close()

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        """Runs one statement with `?` for each value; returns a cursor for its rows. Raises UnavailableError."""
        try:
            return self._session.execute(_numbered(sql).encode(), values or None)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise UnavailableError(f"{self._where}: {_words(error)}") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or none of the statements inside are durable when the block ends. No other transaction runs meanwhile.

        Raises NotDurableError when the commit fails, and UnavailableError when the session is lost before it.
        """
        # not REPEATABLE READ: it would see the database as it was before it waited for the lock
        self._begin("BEGIN ISOLATION LEVEL READ COMMITTED", AdvisoryLock.TRANSACTION)
        try:
            yield
        except BaseException:
            self._roll_back()
            raise
        try:
            done = self._session.execute("COMMIT").statusmessage
        except psycopg.Error as error:
            raise NotDurableError(f"{self._where}: commit failed ({_words(error)})") from error
        if done != "COMMIT":
            raise NotDurableError(f"{self._where}: commit failed (an earlier statement had failed unnoticed)")

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """A read-only transaction: everything inside sees the database as it is when the block begins."""
        self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield
        finally:
            self._roll_back()

    def _begin(self, begin: str, lock: AdvisoryLock) -> None:
        self.execute(f"{begin}; SELECT pg_advisory_xact_lock({lock:d}, {self._key})")

    def _roll_back(self) -> None:
        if not self._session.closed:  # a lost session has rolled back already
            self.execute("ROLLBACK")

    def bring_up_to(self, version: int, schema: str, steps: Sequence[str], *, join: bool) -> None:
        """Creates the tables of `schema`, or changes an older schema by `steps`, the last of which leads to `version`.

        All of it happens, or nothing. `join`: this session counts from now on as one of the `members`. Raises
        ConfigurationError for a newer schema, and for an older one that cannot be changed, or not while others use it.
        """
        with self.transaction():
            found = self._version()
            if found > version:
                raise ConfigurationError(
                    f"{self._where}: written by a newer version (schema {found}, this one knows {version})",
                    hint="install that newer version again; nothing was changed",
                )
            if found < version:
                self.execute(schema if found == 0 else self._way(found, version, steps))
                self.execute("DELETE FROM meta WHERE key = 'schema'")
                self.execute("INSERT INTO meta VALUES ('schema', ?)", (str(version),))
            if join:
                self.execute(f"SELECT pg_advisory_lock_shared({AdvisoryLock.MEMBER:d}, {self._key})")

    def _version(self) -> int:
        if self.execute("SELECT to_regclass('meta')").fetchone()[0] is None:
            return 0
        row = self.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        if row is None:
            raise ConfigurationError(
                f"{self._where}: has a table meta that is not ours",
                hint="give the policy service a database of its own",
            )
        return int(row[0])

    def _way(self, found: int, version: int, steps: Sequence[str]) -> str:
        needed = version - found
        if needed > len(steps):
            raise ConfigurationError(
                f"{self._where}: written by another version (schema {found}, this one has {version})",
                hint="this version cannot change that schema; start the version that wrote it. Nothing was changed",
            )
        if self.members():
            raise ConfigurationError(
                f"{self._where}: must be brought to a newer schema, but other policy services use it",
                hint="stop all of them, then start again",
            )
        log.warning("%s: schema %d becomes %d", self._where, found, version)
        return " ".join(steps[-needed:])

    def try_lead(self) -> bool:
        """Whether this session leads now. No other session can lead until it ends or calls `leave_lead`."""
        row = self.execute(f"SELECT pg_try_advisory_lock({AdvisoryLock.LEAD:d}, {self._key})").fetchone()
        return bool(row[0])

    def leave_lead(self) -> None:
        """Stops leading, so that another session can lead."""
        self.execute(f"SELECT pg_advisory_unlock({AdvisoryLock.LEAD:d}, {self._key})")

    def members(self) -> frozenset[int]:
        """The sessions that joined in `bring_up_to`, each by the id of its process on the server."""
        found = self.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND classid = ?::bigint::oid AND objid = ?::bigint::oid",
            (int(AdvisoryLock.MEMBER), self._key),
        )
        return frozenset(row[0] for row in found)


@functools.cache
def _numbered(sql: str) -> str:
    """The SQL with PostgreSQL's $1, $2, … in place of `?`."""
    first, *others = sql.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))


def _words(error: psycopg.Error) -> str:
    """The error's message, lowercase, on one line."""
    return " ".join(str(error).split()).lower() or type(error).__name__.lower()
