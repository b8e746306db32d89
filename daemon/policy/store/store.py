"""Opening the store by what `[store] url` says."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from daemon.custody.log import CustodyLog, Rows, open_read_only
from daemon.database.sqlite import Database
from daemon.model.config import PolicyConfig
from daemon.model.errors import ConfigurationError
from daemon.policy.store import tables
from daemon.policy.store.attestations import Attestations
from daemon.policy.store.outbox import Outbox
from daemon.policy.store.requests import Requests
from daemon.policy.store.sql import DIALECTS

if TYPE_CHECKING:
    from daemon.database.postgres import Postgres

_FILE = "policy.sqlite"


class Transactions(Protocol):
    """Where the tables are: a `Database` (SQLite) or a `Postgres`. What a transaction wrote is durable when it ends."""

    dialect: str

    def transaction(self) -> AbstractContextManager[None]: ...

    def close(self) -> None: ...


class Lead(Protocol):
    """Which of the services on a store leads: publishes, and does what time brings. At most one does, at any moment."""

    shared: bool
    """Whether there can be several services at all."""

    def try_lead(self) -> bool:
        """Whether this service leads from now on. Called inside a transaction, so that the next one anywhere knows."""
        ...

    def leave_lead(self) -> None:
        """Another may lead."""
        ...

    def members(self) -> frozenset[int]:
        """The services there are, each by a number that ends with it."""
        ...


class FileLockLead:
    """On SQLite there is one service. Whoever has the lock on its file leads."""

    shared = False

    def __init__(self, state: Path) -> None:
        """Raises ConfigurationError when another service uses the store."""
        self._fd = os.open(state / "policy.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise ConfigurationError(
                f"{state}: another policy service is using this store",
                hint="several at once need PostgreSQL: [store] url in policy.toml",
            ) from None

    def try_lead(self) -> bool:
        return True

    def leave_lead(self) -> None:
        raise AssertionError("there is nobody else to lead")

    def members(self) -> frozenset[int]:
        return frozenset()

    def close(self) -> None:
        os.close(self._fd)


class PolicyStore(Attestations, Requests, Outbox):
    """The tables. Everything is written inside a transaction, and outside none is open."""

    def __init__(self, rows: Rows, database: Transactions, lead: Lead | None = None) -> None:
        """`lead` is needed by a service, not by whoever only looks."""
        super().__init__(rows, database.dialect)
        self.db = rows
        self.transaction = database.transaction
        self._database = database
        self._lead = lead

    @property
    def lead(self) -> Lead:
        if self._lead is None:
            raise AssertionError("this store was not opened to serve")
        return self._lead

    def close(self) -> None:
        self._database.close()
        if isinstance(self._lead, FileLockLead):
            self._lead.close()

    def forget(self, clip_id: str, dock_id: str, seal_sha256: str) -> None:
        """Destroys what holds wrapped keys of a disposed clip: its seal, and the orders that were issued for it."""
        self.delete(seal_sha256)
        self.forget_orders(clip_id, dock_id)


def open_store(config: PolicyConfig, *, serve: bool = False) -> PolicyStore:
    """Opens or creates the store; an older one is brought up to date. `serve`: as one of the services that use it.

    Raises ConfigurationError for one that cannot be used, or not now, UnavailableError for a server that is not there.
    """
    dialect = "postgresql" if config.store.postgres else "sqlite"
    schema, steps = tables.schema(DIALECTS[dialect]), tables.STEPS[dialect]
    if config.store.postgres:
        postgres = _postgres(config)
        try:
            postgres.bring_up_to(tables.VERSION, schema, steps, join=serve)
        except BaseException:
            postgres.close()
            raise
        return PolicyStore(postgres, postgres, postgres if serve else None)
    database = Database(config.state / _FILE, schema, tables.VERSION, steps)
    return PolicyStore(database.db, database, FileLockLead(config.state) if serve else None)


@contextmanager
def read_log(config: PolicyConfig, origin: str, actor: str) -> Iterator[CustodyLog]:
    """The custody log in the store as it is at one moment, while services run.

    Raises ConfigurationError or UnavailableError.
    """
    if not config.store.postgres:
        with open_read_only(config.state / _FILE, origin, actor) as log:
            yield log
        return
    postgres = _postgres(config)
    try:
        with postgres.one_moment():
            yield CustodyLog(postgres, origin, actor, create=False)
    finally:
        postgres.close()


def _postgres(config: PolicyConfig) -> Postgres:
    try:
        from daemon.database.postgres import Postgres
    except ImportError as error:
        raise ConfigurationError(
            f"store.url: PostgreSQL's driver cannot be used ({error})", hint="pip install 'bwc-dock[postgres]'"
        ) from None
    return Postgres(config.store.url, config.store.password)
