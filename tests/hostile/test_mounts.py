"""A quick share of `mounts` and `living`: whatever a camera is, it costs its own bay at most."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hostile import fusefs, living, mounts
from tests.hostile.targets import folder

needs_fuse = pytest.mark.skipif(not fusefs.possible(), reason="mounting FUSE needs root and /dev/fuse")


def test_a_share_of_malformed_mounts_and_documents() -> None:
    told = mounts.run(2000, 11)
    assert told["escaped"] == 0
    assert told["malformed"] == 2000
    assert told["read_by_a_child"] > 5
    assert told["sealed"] > 50, "some are read to the end: the rest were refused for what was wrong with them"


@pytest.fixture
def root() -> Iterator[Path]:
    with folder() as made:
        yield made


@needs_fuse
@pytest.mark.parametrize(
    "cases",
    [
        living.hangs,
        lambda root: living.fails_at_each_request(root, "yank"),
        lambda root: living.fails_at_each_request(root, "EIO"),
        living.lies,
    ],
    ids=["hangs", "yanked", "fails", "lies"],
)
def test_a_file_system_that_is_the_attackers(root: Path, cases: Callable[[Path], Iterator[str]]) -> None:
    assert list(cases(root)) == []


def test_files_that_change_while_they_are_read(root: Path) -> None:
    assert list(living.changes_while_read(root)) == []


def test_more_names_than_a_camera_has(root: Path) -> None:
    assert list(living.a_million_names(root, 3000, 1000)) == []
