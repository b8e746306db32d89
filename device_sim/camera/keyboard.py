"""Single keys from a terminal, or from a pipe."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import tty
from collections.abc import Iterator

_MOMENT = 0.05


class Keyboard:
    """Reads keys one by one."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def next(self) -> str | None:
        """The next key; None when none came for a moment; "" when no more will come."""
        readable, _, _ = select.select([self._descriptor], [], [], _MOMENT)
        if not readable:
            return None
        try:
            return os.read(self._descriptor, 1).decode("ascii", "replace")
        except OSError:  # the terminal was closed
            return ""


@contextlib.contextmanager
def keyboard() -> Iterator[Keyboard]:
    """Standard input without echo, key by key, without Return. Afterwards the terminal is as before."""
    descriptor = sys.stdin.fileno()
    if not sys.stdin.isatty():
        yield Keyboard(descriptor)
        return
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor, termios.TCSADRAIN)
    try:
        yield Keyboard(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
