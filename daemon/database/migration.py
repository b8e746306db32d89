"""Bringing an older database up to the schema that the program knows: a durable copy first, then one transaction.

The copy `<file>.<schema>.bak` stays beside it: what to go back to, together with the program that wrote it.
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
    """From schema `found` to `version`; the last of `steps` (SQL) leads to `version`, each before it one lower.

    Durable when it returns. Raises ConfigurationError when it cannot be done; the database is as it was then.
    """
    needed = version - found
    if needed > len(steps):
        raise ConfigurationError(
            f"{path}: written by another version (schema {found}, this one has {version})",
            hint="no way is known from there; start the version that wrote it, nothing was changed",
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
            hint=f"nothing was changed, and a copy is {copy}; free space where it lies, or start the version before",
        ) from error
    try:
        db.execute("COMMIT")
    except sqlite3.Error as error:
        raise NotDurableError(f"{path}: commit failed ({error}); a copy from before is {copy}") from error


def back_up(db: sqlite3.Connection, path: Path, found: int) -> Path:
    """A whole, durable copy beside it, replacing an earlier one of the same schema. Raises ConfigurationError."""
    copy = path.with_name(f"{path.name}.{found}.bak")
    new = copy.with_name(f".{copy.name}.new")
    new.unlink(missing_ok=True)  # what an interrupted attempt left
    try:
        db.execute("VACUUM INTO ?", (str(new),))
        _settle(new, path)
        durable.rename(new, copy)
    except (sqlite3.Error, OSError) as error:
        new.unlink(missing_ok=True)
        raise ConfigurationError(
            f"{path}: no copy could be made before its schema is changed ({error})",
            hint="free as much space there as the file takes; nothing was changed",
        ) from error
    return copy


def _be_alone(db: sqlite3.Connection, path: Path) -> None:
    """Leaving write-ahead mode needs that no other program has it open; the next opening returns to it."""
    try:
        db.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        raise ConfigurationError(
            f"{path}: must be brought to a newer schema, but another program has it open ({error})",
            hint="stop whatever uses it (an older version that still runs?), then start again",
        ) from error


def _settle(new: Path, path: Path) -> None:
    """Durable, and for the same eyes as the database itself."""
    fd = os.open(new, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchmod(fd, path.stat().st_mode & 0o777)
        durable.fsync(fd, str(new))
    finally:
        os.close(fd)
