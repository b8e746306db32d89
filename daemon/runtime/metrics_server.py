"""Metrics over HTTP for Prometheus. A service sets them while it works; Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, disable_created_metrics, start_http_server

from daemon.model.errors import ConfigurationError


def new_registry() -> CollectorRegistry:
    """An empty registry for a service's own metrics. Memory and processor time are left to the service manager."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # half as many series
    return CollectorRegistry()


@contextmanager
def served(address: tuple[str, int] | None, registry: CollectorRegistry) -> Iterator[None]:
    """Serves `registry` at `address` (host, port) while the block runs; with None it serves nothing.

    Raises ConfigurationError when the address cannot be used.
    """
    if address is None:
        yield
        return
    host, port = address
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise ConfigurationError(
            f"metrics.listen {host}:{port}: {(error.strerror or str(error)).lower()}",
            hint="each service needs its own port, which no other program uses",
        ) from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
