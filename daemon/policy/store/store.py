"""The policy service's store: all its tables in one object, opened as `[store] url` says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

from daemon.custody.log import CustodyLog, Rows, open_read_only
from daemon.database.sqlite import Database
from daemon.model.config import PolicyConfig
from daemon.model.errors import ConfigurationError
from daemon.policy.store import tables
from daemon.policy.store.clips import AnnouncedClips
from daemon.policy.store.lead import FileLockLead, Lead
from daemon.policy.store.outbox import Outbox
from daemon.policy.store.refusals import Refusals
from daemon.policy.store.reports import Reports
from daemon.policy.store.requests import Requests
from daemon.policy.store.shared import SharedState
from daemon.policy.store.sql import DIALECTS
from daemon.policy.store.standings import Standings

if TYPE_CHECKING:
    from daemon.database.postgres import Postgres

_FILE = "policy.sqlite"


class Transactions(Protocol):
    """The database under the tables: a `Database` (SQLite) or a `Postgres`.

    What a transaction wrote is durable when its block ends, or none of it happened.
    """

    dialect: str
    """The name of its SQL dialect: "sqlite" or "postgresql"."""

    def transaction(self) -> AbstractContextManager[None]:
        """A block that is one transaction. Raises NotDurableError when its outcome is unknown."""
        ...

    def close(self) -> None:
        """Closes the connection."""
        ...


class PolicyDatabase(AnnouncedClips, Requests, Reports, Standings, Outbox, Refusals, SharedState):
    """All tables of the policy service. Everything is written inside `transaction`; outside none is open.

    `db` is the connection itself, which the custody log shares.
    """

    def __init__(self, rows: Rows, database: Transactions, lead: Lead | None = None) -> None:
        """`rows` is the connection of `database`. `lead` is needed to serve, and not to look only."""
        super().__init__(rows, database.dialect)
        self.db = rows
        self._database = database
        self._lead = lead

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A block that is one transaction. Nothing of an earlier one is remembered: others may have written since."""
        self.forget_remembered()
        with self._database.transaction():
            yield

    @property
    def lead(self) -> Lead:
        """Which service leads. Raises AssertionError for a store that was not opened to serve."""
        if self._lead is None:
            raise AssertionError("this store was not opened to serve")
        return self._lead

    def close(self) -> None:
        """Closes the database, and unlocks it for another service."""
        self._database.close()
        if isinstance(self._lead, FileLockLead):
            self._lead.close()

    def erase_keys(self, clip_id: str, dock_id: str, seal_sha256: str) -> None:
        """Destroys everything that holds wrapped keys of a disposed clip: its seal, and the orders issued for it."""
        self.delete(seal_sha256)
        self.erase_orders(clip_id, dock_id)


def open_store(config: PolicyConfig, *, serve: bool = False) -> PolicyDatabase:
    """Opens or creates the store. An older one is brought up to date. `serve`: as one of the services that use it.

    Raises ConfigurationError for a store that cannot be used, or not now, and UnavailableError for a database server
    that does not answer.
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
        return PolicyDatabase(postgres, postgres, postgres if serve else None)
    database = Database(config.state / _FILE, schema, tables.VERSION, steps)
    return PolicyDatabase(database.db, database, FileLockLead(config.state) if serve else None)


@contextmanager
def read_log(config: PolicyConfig, origin: str, actor: str) -> Iterator[CustodyLog]:
    """The custody log in the store, as it is at one moment. Services may run meanwhile.

    Raises ConfigurationError for a store that cannot be used, and UnavailableError for a database server that does not
    answer.
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
