"""SQL built once with SQLAlchemy Core for both databases, and run as text on the driver's own cursor.

The text is made once in each process. SQLAlchemy's engine would take several times as long as the database needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect, Executable, Insert, Table, insert
from sqlalchemy.dialects import postgresql, sqlite

from daemon.custody.log import Cursor, Rows

DIALECTS: dict[str, Dialect] = {
    "sqlite": sqlite.dialect(paramstyle="qmark"),
    "postgresql": postgresql.dialect(paramstyle="qmark"),  # type: ignore[no-untyped-call]
}
"""SQLAlchemy's dialects by the names that `Transactions.dialect` uses."""
_INSERTS: dict[str, Callable[[Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class PerDialect:
    """A query that SQLAlchemy builds differently for each dialect."""

    def __init__(self, build: Callable[[str], Executable]) -> None:
        """`build` gets the dialect's name ("sqlite" or "postgresql") and returns the query."""
        self.build = build


def upsert(table: Table) -> PerDialect:
    """Inserts a whole row. A row with the same key is replaced."""

    def build(dialect: str) -> Executable:
        new = _INSERTS[dialect](table)
        keys = {column.name for column in table.primary_key}
        changed = {column.name: new.excluded[column.name] for column in table.columns if column.name not in keys}
        return _on_conflict(new, keys, changed)

    return PerDialect(build)


def insert_if_absent(table: Table) -> PerDialect:
    """Inserts a whole row. Does nothing if there is a row with the same key."""
    return PerDialect(
        lambda dialect: _INSERTS[dialect](table).on_conflict_do_nothing(
            index_elements=[column.name for column in table.primary_key]
        )
    )


def insert_or_increment(table: Table, counter: str) -> PerDialect:
    """Inserts a whole row. If there is a row with the same key, adds one to its column `counter` instead."""

    def build(dialect: str) -> Executable:
        return _on_conflict(
            _INSERTS[dialect](table), {c.name for c in table.primary_key}, {counter: table.c[counter] + 1}
        )

    return PerDialect(build)


def insert_numbered(table: Table) -> Insert:
    """Inserts a row of all columns but `id`, which the database numbers."""
    return insert(table).values({column.name: None for column in table.columns if column.name != "id"})


def row_values(row: Any) -> dict[str, Any]:
    """The values of a row dataclass (`daemon.policy.store.rows`) by the names of their columns."""
    return {name: getattr(row, name) for name in row.__dataclass_fields__}


def _on_conflict(new: Any, keys: set[str], changed: dict[str, Any]) -> Executable:
    made: Executable = new.on_conflict_do_update(index_elements=sorted(keys), set_=changed)
    return made


@dataclass(frozen=True)
class _SqlText:
    """A query as text for the driver. `names` are its values in order; `fixed` are the values that never change."""

    text: str
    names: tuple[str, ...]
    fixed: dict[str, Any]


class QueryRunner:
    """Runs queries on one connection. Each group of tables in this room is a subclass; `PolicyDatabase` joins them."""

    def __init__(self, rows: Rows, dialect: str) -> None:
        """`rows` is the connection; `dialect` is its name in `DIALECTS`."""
        self._rows = rows
        self._dialect = dialect
        self._texts: dict[Executable | PerDialect, _SqlText] = {}

    def one(self, query: Executable | PerDialect, **values: Any) -> Any:
        """Runs a query and returns its first row, or None when it found none. For `values` see `run`."""
        return self.run(query, **values).fetchone()

    def run(self, query: Executable | PerDialect, **values: Any) -> Cursor:
        """Runs a query. `values` are named like the query's parameters, or like the columns of an inserted row."""
        made = self._texts.get(query)
        if made is None:
            made = self._texts[query] = self._make(query)
        if made.fixed:
            values = made.fixed | values
        return self._rows.execute(made.text, [values[name] for name in made.names])

    def _make(self, query: Executable | PerDialect) -> _SqlText:
        core: Any = query.build(self._dialect) if isinstance(query, PerDialect) else query
        compiled = core.compile(dialect=DIALECTS[self._dialect])
        fixed = {name: value for name, value in compiled.params.items() if value is not None}
        return _SqlText(str(compiled), tuple(compiled.positiontup), fixed)
