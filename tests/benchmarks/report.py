"""What a run of the benchmarks leaves behind: results.json, a table to read, a plot of what grows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write(results: dict[str, Any], folder: Path) -> list[Path]:
    """Writes `results.json`, `table.md`, and `growth.png` where growth was measured. Returns their paths."""
    folder.mkdir(exist_ok=True)
    written = [folder / "results.json", folder / "table.md"]
    written[0].write_text(json.dumps(results, indent=2) + "\n")
    written[1].write_text(table(results))
    if "growth" in results:
        written.append(folder / "growth.png")
        _plot(results["growth"], written[-1])
    return written


def table(results: dict[str, Any]) -> str:
    """Every figure of every benchmark, a line each."""
    machine = results["machine"]
    lines = [
        f"Measured {results['at']} on {machine['cores']} cores of {machine['cpu']}, Linux {machine['kernel']}.",
        "",
    ]
    lines += ["| benchmark | figure | value |", "|---|---|---|"]
    for name, figures in results.items():
        if isinstance(figures, dict) and name != "machine":
            lines += [f"| {name} | {figure} | {_spell(value)} |" for figure, value in figures.items()]
    return "\n".join(lines) + "\n"


def _spell(value: Any) -> str:
    match value:
        case float():
            return f"{value:,.3f}"
        case list():
            return ", ".join(_spell(one) for one in value)
        case dict():
            return ", ".join(f"{key} {_spell(one)}" for key, one in value.items())
        case _:
            return str(value)


def _plot(growth: dict[str, Any], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    names = [name for name in growth if name not in {"clips", "targets"}]
    figure, axes = plt.subplots(2, (len(names) + 1) // 2, figsize=(12, 7))
    for axis, name in zip(axes.flat, names, strict=False):
        axis.plot(growth["clips"], growth[name], marker="o")
        if name in growth["targets"]:
            axis.axhline(growth["targets"][name], linestyle="--", color="grey")
        axis.set(xscale="log", title=name, xlabel="clips", ylim=(0, None))
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)
