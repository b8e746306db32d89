"""Some of the faults; the ones that once found something, always. The long share: python -m tests.crash.faults"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash import faults
from tests.crash.faults import Fault

pytestmark = pytest.mark.xdist_group("faults")


@pytest.fixture(autouse=True)
def _can_trace() -> None:
    why = faults.why_not()
    if why is not None:
        pytest.skip(why)


@pytest.mark.parametrize("erase", ["receipt", "dock"])
def test_any_call_may_fail(erase: str) -> None:
    result = faults.run(40, 11, workers=1, erase=erase)
    assert result["problems"] == []
    assert int(str(result["faults"])) >= 35  # a few calls are made or not, as the moment has it


@pytest.mark.parametrize(
    ("call", "error", "where"),
    [
        ("close", "ENOSPC", "custody/0.jsonl"),  # its lines were appended twice: the dock never started again
        ("write", "ENOSPC", "custody/0.jsonl"),
        ("openat", "EIO", "clips"),  # the bay failed with the clip in its place: it came in twice
        ("fsync", "EIO", "clips"),
    ],
)
def test_what_once_went_wrong(tmp_path: Path, call: str, error: str, where: str) -> None:
    with faults.bench(tmp_path / "bench") as bench:
        number = 1
        while bench.fail(Fault(call, error, number), [bench.disk / "vault" / where]):
            number += 1
        assert bench.problems == []
        assert number > 1


@pytest.mark.parametrize(("call", "error"), [("unlinkat", "EIO"), ("unlinkat", faults.KILL), ("fsync", "EIO")])
def test_every_call_that_erases_may_fail(tmp_path: Path, call: str, error: str) -> None:
    with faults.bench(tmp_path / "bench", erase="dock") as bench:
        number = 1
        while bench.fail(Fault(call, error, number), [bench.camera.folder / "clips"]):
            number += 1
        assert bench.problems == []
        assert number > (2 if call == "fsync" else 6)
