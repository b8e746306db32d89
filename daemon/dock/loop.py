"""What a thread beside the dock's loop asks of it: a decision, in the loop's transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from daemon.dock.context import Transaction
from daemon.model.documents import Bay
from daemon.model.errors import UnavailableError

P = ParamSpec("P")
T = TypeVar("T")


class StoppedError(UnavailableError):
    """The service is stopping; what was asked for did not happen."""


class Loop(Protocol):
    """The loop that owns the store, as the threads beside it see it."""

    def run_in_transaction(
        self, decide: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs `decide(transaction, …)` on the loop's thread. Returns its result once what it wrote is durable.

        Raises what `decide` raised (its own writes are undone), StoppedError when the dock stops meanwhile.
        """

    def show(self, identity: str, bay: Bay) -> None:
        """Publishes how a bay stands; ignored once `identity` is no longer what is docked there."""

    def fail(self, error: BaseException) -> None:
        """Stops the whole dock: something's outcome is unknown, or an error was not foreseen."""
