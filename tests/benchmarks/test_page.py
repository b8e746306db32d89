"""The performance page: every row reads a figure that its benchmark has, and what stands below is kept."""

from __future__ import annotations

import re
from pathlib import Path

from tests.benchmarks import page

FOLDER = Path(__file__).parent


def everything() -> dict[str, object]:
    """Results in which every figure is 1."""
    found: dict[str, object] = {
        "at": "2026-01-01",
        "machine": {"cores": 2, "cpu": "a processor", "kernel": "6", "python": "3.11"},
    }
    for path in FOLDER.glob("bench_*.py"):
        names = re.findall(r'"([a-z0-9_]+)":', path.read_text(encoding="utf-8"))
        found[path.stem.removeprefix("bench_")] = dict.fromkeys(names, 1.0)
    found["growth"] = {name: [1.0, 1.0] for name in found["growth"]}  # type: ignore[attr-defined]
    found["clip"] |= {f"times_{peer}": 1.0 for peer in ("openssl_age", "sha256sum_age", "restic", "rclone_crypt")}  # type: ignore[operator]
    return found


def test_every_row_is_a_figure_that_is_measured() -> None:
    made = page.page(everything())
    assert [row.what for row in page.ROWS if f"| {row.what} |" not in made] == []


def test_a_peer_that_is_not_installed_is_left_out() -> None:
    results = everything()
    del results["clip"]["times_restic"]  # type: ignore[attr-defined]
    assert "restic" not in page.page(results)


def test_what_stands_below_is_kept() -> None:
    assert page.page(everything(), "\n## A citywide day\n").endswith(f"{page.MARK}\n\n## A citywide day\n")
    assert page.MARK in (FOLDER.parents[1] / "docs" / "performance.md").read_text(encoding="utf-8")
