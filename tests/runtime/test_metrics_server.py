"""Metrics are answered on the configured address while the service runs, and only then."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

import pytest
from prometheus_client import Gauge

from daemon.model.errors import ConfigurationError
from daemon.runtime.metrics_server import new_registry, served


def test_they_are_told_while_the_block_runs() -> None:
    registry = new_registry()
    Gauge("bwc_example", "An example.", registry=registry).set(7)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with served(("127.0.0.1", port), registry), urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    assert "bwc_example 7.0" in text
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics")


def test_an_address_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = taken.getsockname()
        with pytest.raises(ConfigurationError) as caught, served(address, new_registry()):
            pass
    assert str(caught.value) == f"metrics.listen {address[0]}:{address[1]}: address already in use"


def test_without_an_address_nobody_listens() -> None:
    with served(None, new_registry()):
        pass
