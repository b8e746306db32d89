"""cases.toml: what dispatch may send, through the files report and through a dock in two orders."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.dock.dispatch.scene import Case, names, of_dock, of_files, read_cases

CASES = read_cases()


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
def test_case(case: Case, tmp_path: Path) -> None:
    found = of_files(case, tmp_path / "files")
    assert found.assignments == sorted(case.expect)
    assert found.merged == sorted(case.merged)
    assert found.aside == sorted(case.aside)
    assert found.unknown == sorted(case.unknown)
    assert found.perhaps == sorted(case.perhaps)
    assert set(found.clips) >= set(case.clips)
    count = len(case.sent()) + len(case.recorded)
    dice = random.Random(case.name)
    first, second = dice.sample(range(count), count), dice.sample(range(count), count)
    by_dock, tags = of_dock(case, tmp_path / "first", first)
    again, others = of_dock(case, tmp_path / "second", second)
    assert by_dock == found, "the dock says what the report over files says"
    assert again == by_dock, "whatever comes first"
    for short, tag in tags.items():
        assert f"{short} {tag.activation.verdict}" in found.clips
        assert tag.activation.verdict == others[short].activation.verdict
        assert tag.unclear == others[short].unclear
        if short in case.unclear:
            assert tag.unclear == case.unclear[short]


def test_every_case_has_a_name_of_its_own() -> None:
    assert len(set(names(CASES))) == len(CASES)
