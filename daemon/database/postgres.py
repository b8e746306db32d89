"""A durable PostgreSQL database that several services share: the counterpart of daemon.database.sqlite.

The transactions of all services run one after the other: each takes one lock at its beginning, so that whoever decides
sees all that was decided before. A lost connection ends the service that had it, which is started again: what it
knew about locks never outlives the session that holds them.
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
    # a server that fell silent counts as gone after some 11 s; tcp_user_timeout is in milliseconds
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 11_000,
}
_SETTINGS = (
    # and a service that fell silent, as soon: nobody else can lead before the server has noticed
    *("SET tcp_keepalives_idle = 5", "SET tcp_keepalives_interval = 2", "SET tcp_keepalives_count = 3"),
    # one that hangs in the middle of a transaction holds up all others
    "SET idle_in_transaction_session_timeout = '20s'",
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') IN ('off', 'local')",
)


class AdvisoryLock(IntEnum):
    """What sessions lock against each other. The numbers stay: services of two versions may meet."""

    TRANSACTION = 0x62776301  # "bwc", to stand apart from other programs in the same database
    LEAD = 0x62776302
    MEMBER = 0x62776303


class Postgres:
    """One session, owned by one thread at a time."""

    dialect = "postgresql"
    shared = True

    def __init__(self, url: str, password: str | None = None) -> None:
        """Connects. What libpq's `url` leaves open libpq finds as ever: PGHOST, a service or password file.

        Raises UnavailableError when the server does not answer or let us in, ConfigurationError for a URL that is none
        and for a server that would forget what it has confirmed.
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
                raise ConfigurationError(f"{self._where}: {name} is {found} there, and has to be {wanted}")
        schema = self.execute("SELECT current_schema()").fetchone()[0]
        self._key = zlib.crc32(str(schema).encode()) >> 1  # services share what lies in one schema, and its locks

    def close(self) -> None:
        """Ends the connection."""
        self._session.close()

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        """Runs one statement with `?` for each value; what it found can be fetched. Raises UnavailableError."""
        try:
            return self._session.execute(_numbered(sql).encode(), values or None)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise UnavailableError(f"{self._where}: {_words(error)}") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is durable when the block ends, or did not happen; no other service's runs meanwhile.

        Raises NotDurableError, and UnavailableError for a session that was lost before the end.
        """
        # not REPEATABLE READ: that would see the database as it was before the wait for the lock
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
            raise NotDurableError(f"{self._where}: commit failed (a statement before it had, and nobody said so)")

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """Everything inside sees the database as it is at the beginning, and changes nothing."""
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
        """Creates what `schema` says, or brings an older one up to date by `steps`, the last of which leads to
        `version`: all of it or nothing. `join`: counts from then on as one of the services that use it.

        Raises ConfigurationError for a newer one, for an older one that cannot be brought up to date, or not now.
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
                hint="no way is known from there; start the version that wrote it, nothing was changed",
            )
        if self.members():
            raise ConfigurationError(
                f"{self._where}: must be brought to a newer schema, but other policy services use it",
                hint="stop all of them, then start again",
            )
        log.warning("%s: schema %d becomes %d", self._where, found, version)
        return " ".join(steps[-needed:])

    def try_lead(self) -> bool:
        """Whether this session leads from now on; until it ends or `leave_lead`, no other can."""
        row = self.execute(f"SELECT pg_try_advisory_lock({AdvisoryLock.LEAD:d}, {self._key})").fetchone()
        return bool(row[0])

    def leave_lead(self) -> None:
        """Lets another service lead."""
        self.execute(f"SELECT pg_advisory_unlock({AdvisoryLock.LEAD:d}, {self._key})")

    def members(self) -> frozenset[int]:
        """The sessions that have joined, by the process that serves each at the server."""
        found = self.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND classid = ?::bigint::oid AND objid = ?::bigint::oid",
            (int(AdvisoryLock.MEMBER), self._key),
        )
        return frozenset(row[0] for row in found)


@functools.cache
def _numbered(sql: str) -> str:
    """`?` as PostgreSQL counts its values: $1, $2, …"""
    first, *others = sql.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))


def _words(error: psycopg.Error) -> str:
    """What happened, on one line."""
    return " ".join(str(error).split()).lower() or type(error).__name__.lower()
