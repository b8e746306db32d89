"""What tests of several of the dock's rooms begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.agency import CLIP
from tests.kit.dock_fixture import House, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A dock that holds one clip, CLIP; its receipt is on its camera."""
    with open_house(tmp_path) as made:
        made.acknowledge()
        made.record(CLIP, b"footage")
        assert made.look(3) == "done"
        yield made
