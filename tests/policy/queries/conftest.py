"""An office that answers questions, with a sergeant who wears a camera and a second officer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.model.times import format_instant
from daemon.policy.queries.handler import QueryHandler
from daemon.seal.trust import parse_trust
from tests.kit import agency
from tests.kit.policy_fixture import open_office
from tests.policy.queries.asking import Desk

ROLES = agency.PEOPLE | {"sergeant": ("officer", "supervisor"), "partner": ("officer",)}


@pytest.fixture
def desk(tmp_path: Path, store_url: str) -> Iterator[Desk]:
    office = open_office(tmp_path, store={"url": store_url})
    people = {
        person: {"name": person, "roles": roles, "sign": agency.sign_pem(person), "open": agency.open_pem(person)}
        for person, roles in ROLES.items()
    }
    data = agency.trust_bytes(version=2, people=people)
    trust = parse_trust(data, agency.sign_key("root").public_key(), what="trust")
    with office.context.store.transaction():
        office.context.store.remember_trust(trust)
        office.context.store.add_trust(trust, data, format_instant(office.clock.now()))
    office.context.trust = trust
    yield Desk(office, QueryHandler(office.context))
    office.context.store.close()
