"""The simulator's error: a message, a hint, and the exit code of the command."""

from __future__ import annotations


class SimError(Exception):
    """Message: lowercase, no final period. Exit: 1 failed, 2 usage or configuration, 4 verification failed."""

    def __init__(self, message: str, *, hint: str | None = None, exit_code: int = 1) -> None:
        super().__init__(message)
        self.hint = hint
        self.exit_code = exit_code


def usage(message: str, hint: str | None = None) -> SimError:
    """An error with exit code 2: something on the command line or in a file cannot be used."""
    return SimError(message, hint=hint, exit_code=2)
