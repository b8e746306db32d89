"""Statements in SQLAlchemy Core, run as text on the driver's own cursor: written once for both databases, and made into
text once a process. Through SQLAlchemy's engine they would take several times as long as the database needs.
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
_INSERTS: dict[str, Callable[[Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class PerDialect:
    """A statement that the dialects spell with constructs of their own. `build` is given the dialect's name."""

    def __init__(self, build: Callable[[str], Executable]) -> None:
        self.build = build


def put(table: Table) -> PerDialect:
    """Inserts a whole row, in the place of the one with the same key."""

    def build(dialect: str) -> Executable:
        new = _INSERTS[dialect](table)
        keys = {column.name for column in table.primary_key}
        changed = {column.name: new.excluded[column.name] for column in table.columns if column.name not in keys}
        return _on_conflict(new, keys, changed)

    return PerDialect(build)


def add(table: Table) -> PerDialect:
    """Inserts a whole row, unless there is one with the same key."""
    return PerDialect(
        lambda dialect: _INSERTS[dialect](table).on_conflict_do_nothing(
            index_elements=[column.name for column in table.primary_key]
        )
    )


def count_up(table: Table, counter: str) -> PerDialect:
    """Inserts a whole row; where its key is there already, only counts one more."""

    def build(dialect: str) -> Executable:
        return _on_conflict(
            _INSERTS[dialect](table), {c.name for c in table.primary_key}, {counter: table.c[counter] + 1}
        )

    return PerDialect(build)


def append(table: Table) -> Insert:
    """Inserts a row that is given its number."""
    return insert(table).values({column.name: None for column in table.columns if column.name != "id"})


def row_values(row: Any) -> dict[str, Any]:
    """A row's values, by its columns."""
    return {name: getattr(row, name) for name in row.__dataclass_fields__}


def _on_conflict(new: Any, keys: set[str], changed: dict[str, Any]) -> Executable:
    made: Executable = new.on_conflict_do_update(index_elements=sorted(keys), set_=changed)
    return made


@dataclass(frozen=True)
class _Text:
    """What a statement is for the driver: `names` are its values in order, `fixed` those that never change."""

    text: str
    names: tuple[str, ...]
    fixed: dict[str, Any]


class Statements:
    """Runs statements on one connection. The store's parts are made of it."""

    def __init__(self, rows: Rows, dialect: str) -> None:
        self._rows = rows
        self._dialect = dialect
        self._texts: dict[Executable | PerDialect, _Text] = {}

    def one(self, statement: Executable | PerDialect, **values: Any) -> Any:
        """The first row, None when there is none."""
        return self.run(statement, **values).fetchone()

    def run(self, statement: Executable | PerDialect, **values: Any) -> Cursor:
        """`values` by the names of the statement's parameters, or of the columns of an inserted row."""
        made = self._texts.get(statement)
        if made is None:
            made = self._texts[statement] = self._make(statement)
        if made.fixed:
            values = made.fixed | values
        return self._rows.execute(made.text, [values[name] for name in made.names])

    def _make(self, statement: Executable | PerDialect) -> _Text:
        core: Any = statement.build(self._dialect) if isinstance(statement, PerDialect) else statement
        compiled = core.compile(dialect=DIALECTS[self._dialect])
        fixed = {name: value for name, value in compiled.params.items() if value is not None}
        return _Text(str(compiled), tuple(compiled.positiontup), fixed)
