"""What whoever works beside the service's thread asks of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from daemon.model.documents import Bay
from daemon.model.errors import UnavailableError

T = TypeVar("T")


class StoppedError(UnavailableError):
    """The service is stopping; what was asked for did not happen."""


class Service(Protocol):
    """Decisions in its transaction, and somewhere to show a bay's standing."""

    def call(self, decide: Callable[[], T]) -> T:
        """Runs `decide` on the service's thread; returns once what it wrote is durable."""

    def show(self, identity: str, bay: Bay) -> None:
        """Publishes a bay's standing; ignored once `identity` is no longer what is docked there."""

    def fail(self, error: BaseException) -> None:
        """Stops the whole dock: something's outcome is unknown."""
