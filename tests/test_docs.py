"""The documents against the tree: links lead somewhere, names exist, the drawing is the table that runs."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "tests" / "README.md"]
_WALK = re.compile(r"^\d+\. `(?P<file>[\w/]+\.py)`(?: — (?P<what>.*))?$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`((?:daemon|device_sim|tests|config|docs|systemd)/[\w./-]+)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


def walks() -> dict[str, list[tuple[str, str]]]:
    """Each walk of docs/architecture.md: (file, what is said of it)."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    found = {}
    for part in page.partition("## Four walks")[2].split("\n### ")[1:]:
        found[part.partition("\n")[0]] = [(m["file"], m["what"] or "") for m in _WALK.finditer(part)]
    return found


@pytest.mark.parametrize("name", list(walks()))
def test_a_walk_passes_files_that_exist_and_none_twice(name: str) -> None:
    steps = walks()[name]
    files = [file for file, _ in steps]
    assert len(files) > 5
    assert len(set(files)) == len(files)
    for file, what in steps:
        source = (ROOT / "daemon" / file).read_text(encoding="utf-8")
        for quoted in re.findall(r"`([A-Za-z_.]+)`", what.partition(":")[0]):
            assert re.search(rf"\b{quoted.rpartition('.')[2]}\b", source), f"{file} has no {quoted}"


def test_there_are_four_walks() -> None:
    assert len(walks()) == 4


def test_the_drawing_is_the_table_that_runs() -> None:
    spec = importlib.util.spec_from_file_location("draw_lifecycle", ROOT / "docs" / "draw_lifecycle.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = module.PAGE.read_text(encoding="utf-8")
    assert module.drawn(page) == page, "run make docs"
