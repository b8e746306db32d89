"""Changing an older SQLite database to the program's schema: first a durable copy, then one transaction.

The copy `<file>.<schema>.bak` stays beside the database. With it and the older program one can go back.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from daemon.model.errors import ConfigurationError, NotDurableError
from daemon.vault import durable

log = logging.getLogger(__name__)


def migrate(db: sqlite3.Connection, path: Path, found: int, version: int, steps: Sequence[str]) -> None:
    """Changes the schema from `found` to `version`. Each of `steps` (SQL) leads one version up, the last to `version`.

    Durable when it returns. Raises ConfigurationError when it cannot be done and the database is unchanged, and
    NotDurableError when the commit failed.
    """
    needed = version - found
    if needed > len(steps):
        raise ConfigurationError(
            f"{path}: written by another version (schema {found}, this one has {version})",
            hint="this version cannot change that schema; start the version that wrote it. Nothing was changed",
        )
    _be_alone(db, path)
    copy = back_up(db, path, found)
    log.warning("%s: schema %d becomes %d; a copy from before is %s", path, found, version, copy)
    try:
        db.executescript(f"BEGIN EXCLUSIVE; {' '.join(steps[-needed:])} PRAGMA user_version = {version};")
    except sqlite3.Error as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise ConfigurationError(
            f"{path}: schema {found} could not be brought to {version} ({error})",
            hint=f"nothing was changed, and a copy is {copy}; free space on that disk, or start the older version",
        ) from error
    try:
        db.execute("COMMIT")
    except sqlite3.Error as error:
        raise NotDurableError(f"{path}: commit failed ({error}); a copy from before is {copy}") from error


def back_up(db: sqlite3.Connection, path: Path, found: int) -> Path:
    """Makes a durable copy beside the database, with the same permissions, and returns its path.

    Replaces an older copy of the same schema. Raises ConfigurationError.
    """
    copy = path.with_name(f"{path.name}.{found}.bak")
    new = copy.with_name(f".{copy.name}.new")
    new.unlink(missing_ok=True)  # left by an interrupted attempt
    try:
        db.execute("VACUUM INTO ?", (str(new),))
        _make_durable(new, path)
        durable.rename(new, copy)
    except (sqlite3.Error, OSError) as error:
        new.unlink(missing_ok=True)
        raise ConfigurationError(
            f"{path}: no copy could be made before its schema is changed ({error})",
            hint="free space there for a second copy of the file; nothing was changed",
        ) from error
    return copy


def _be_alone(db: sqlite3.Connection, path: Path) -> None:
    """Leaves write-ahead mode, which works only if no other program has the database open. Opening it sets it again."""
    try:
        db.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        raise ConfigurationError(
            f"{path}: must be brought to a newer schema, but another program has it open ({error})",
            hint="stop the other program (an older version that still runs?), then start again",
        ) from error


def _make_durable(new: Path, path: Path) -> None:
    """Makes `new` durable and gives it the permissions of the database."""
    fd = os.open(new, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchmod(fd, path.stat().st_mode & 0o777)
        durable.fsync(fd, str(new))
    finally:
        os.close(fd)
