"""The house keeps its measures: short files, folders that one can look over, and no class name twice."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(path for room in ("daemon", "device_sim") for path in (ROOT / room).rglob("*.py"))
MOST_LINES, MOST_FILES = 300, 18


def test_no_file_is_too_long() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_folder_is_too_full() -> None:
    counts = Counter(path.parent.relative_to(ROOT) for path in FILES)
    assert {str(folder): files for folder, files in counts.items() if files > MOST_FILES} == {}


def test_no_two_classes_have_one_name() -> None:
    names = Counter(
        node.name
        for path in FILES
        if path.is_relative_to(ROOT / "daemon")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, times in names.items() if times > 1] == []
