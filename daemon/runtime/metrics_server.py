"""Metrics over HTTP, for a Prometheus on the same machine: services set them as they work, whoever asks reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, disable_created_metrics, start_http_server

from daemon.model.errors import ConfigurationError


def new_registry() -> CollectorRegistry:
    """For a service's own metrics. Its process's (memory, processor time) the service manager knows."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # half as many series, and nobody looks at when a counter began
    return CollectorRegistry()


@contextmanager
def served(address: tuple[str, int] | None, registry: CollectorRegistry) -> Iterator[None]:
    """Answers at `address` while the block runs; None is nowhere. Raises ConfigurationError when it cannot be had."""
    if address is None:
        yield
        return
    host, port = address
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise ConfigurationError(
            f"metrics.listen {host}:{port}: {(error.strerror or str(error)).lower()}",
            hint="a service each needs a port of its own, and no other program may have it",
        ) from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
