"""Both databases, for what is to hold on either."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit import postgres
from tests.kit.postgres import Server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    with postgres.server() as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """`[store] url`: a database that has nothing yet."""
    if request.param == "sqlite":
        return "sqlite"
    server: Server = request.getfixturevalue("postgres_server")
    return server.database()
