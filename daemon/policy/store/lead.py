"""Which of the policy services on one store leads."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Protocol

from daemon.model.errors import ConfigurationError


class Lead(Protocol):
    """Decides which of the services on a store leads. At any moment at most one does.

    The leader publishes, listens to retained messages, and does what has to be done at certain times.
    """

    shared: bool
    """Whether several services can use the store at once."""

    def try_lead(self) -> bool:
        """Tries to lead. True when this service leads from now on.

        It is called inside a transaction, so that the next transaction of any service sees who leads.
        """
        ...

    def leave_lead(self) -> None:
        """Stops leading, so that another service can."""
        ...

    def members(self) -> frozenset[int]:
        """The services that use the store. Each has a number that disappears when the service ends."""
        ...


class FileLockLead:
    """The only service on an SQLite store: whoever holds the lock on its file leads, and nobody else can start."""

    shared = False

    def __init__(self, state: Path) -> None:
        """Locks `policy.lock` in the state directory. Raises ConfigurationError when another service uses the store."""
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
        """Always true: no other service can use the store."""
        return True

    def leave_lead(self) -> None:
        """Never called: there is no other service to lead. Raises AssertionError."""
        raise AssertionError("there is nobody else to lead")

    def members(self) -> frozenset[int]:
        """Always empty: services that share a store are counted only on PostgreSQL."""
        return frozenset()

    def close(self) -> None:
        """Unlocks the store for another service."""
        os.close(self._fd)
