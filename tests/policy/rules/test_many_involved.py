"""What an incident with many involved officers costs: it grows with their square at most, not with their cube."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cedarpy
import pytest

from tests.kit.policy_fixture import open_office


def test_many_involved_do_not_take_the_service_for_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [0]
    batch = cedarpy.is_authorized_batch

    def counted(requests: list[Any], *what: Any, **more: Any) -> Any:
        asked[0] += len(requests)
        return batch(requests, *what, **more)

    monkeypatch.setattr(cedarpy, "is_authorized_batch", counted)

    def cost(count: int) -> int:
        office = open_office(tmp_path / str(count))
        office.announce(office.notice())
        asked[0] = 0
        office.classify("deadly", involved=[f"p{number}" for number in range(count)])
        office.context.store.close()
        return asked[0]

    few = cost(12)
    assert 0 < cost(24) <= 5 * few
