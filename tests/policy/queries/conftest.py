"""An office that answers questions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.policy.queries.handler import QueryHandler
from tests.kit.policy_fixture import open_office
from tests.policy.queries.asking import Desk


@pytest.fixture
def desk(tmp_path: Path, store_url: str) -> Iterator[Desk]:
    office = open_office(tmp_path, store={"url": store_url})
    yield Desk(office, QueryHandler(office.context))
    office.context.store.close()
