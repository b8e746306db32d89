"""What the fuzzer once found, and the valid documents it began from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hostile.fuzz import REGRESSIONS
from tests.hostile.targets import REFUSALS, Target, targets


@pytest.fixture(scope="module")
def made() -> Iterator[dict[str, Target]]:
    with targets() as found:
        yield found


def test_every_target_takes_its_own_seeds_and_what_was_found(made: dict[str, Target]) -> None:
    for target in made.values():
        kept = sorted((REGRESSIONS / target.name).glob("*"))
        for data in (*target.seeds, *(path.read_bytes() for path in kept)):
            try:
                target.take(data)
            except REFUSALS:
                pass


def test_regressions_are_of_targets_that_exist(made: dict[str, Target]) -> None:
    assert {path.name for path in REGRESSIONS.glob("*")} <= made.keys()
