"""Runs every benchmark (or one), prints its figures, writes `bench/`: results.json, table.md, growth.png."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks import page, report

PAGE = Path("docs") / "performance.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", help="one benchmark's name")
    only = parser.parse_args().only
    names = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    if only is not None and only not in names:
        parser.error(f"no benchmark {only}; there are {', '.join(names)}")
    results: dict[str, Any] = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": _machine()}
    for name in [only] if only else names:
        print(f"{name} …", flush=True)
        results[name] = importlib.import_module(f"tests.benchmarks.bench_{name}").run()
        for figure, value in results[name].items():
            print(f"  {figure:44} {value:,.3f}" if isinstance(value, float) else f"  {figure:44} {value}")
    for path in report.write(results, Path("bench")):
        print(path)
    if only is None:
        below = PAGE.read_text(encoding="utf-8").partition(f"{page.MARK}\n")[2]
        PAGE.write_text(page.page(results, below), encoding="utf-8")
        print(PAGE)


def _machine() -> dict[str, Any]:
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": model[0].partition(":")[2].strip() if model else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    main()
