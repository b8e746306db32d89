"""Which files of the watched folder are documents."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from daemon.dock.dispatch import folder_listing
from daemon.dock.dispatch.folder_listing import FoundFile, NotLookedAt, documents_below


def found(root: Path) -> list[str]:
    return [one.name for one in documents_below(root) if isinstance(one, FoundFile)]


def test_json_in_any_case_in_the_folder_and_below_it(tmp_path: Path) -> None:
    for name in ("b.json", "a.JSON", "2023/11/29.Json", "2023/x.eido.json", "notes.txt", ".c.json", ".new/d.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "link.json").symlink_to(tmp_path / "b.json")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert found(tmp_path) == ["a.JSON", "b.json", "2023/x.eido.json", "2023/11/29.Json"]


def test_a_folder_that_cannot_be_looked_into_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/1.json", "b/2.json"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("{}")
    scandir = os.scandir

    def refusing(path: Path) -> object:
        if Path(path).name == "a":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert NotLookedAt("a", "Permission denied") in list(documents_below(tmp_path))
    assert found(tmp_path) == ["b/2.json"]
    monkeypatch.setattr(folder_listing, "MOST_FOLDERS", 1)
    assert NotLookedAt("a", "more than 1 folders") in list(documents_below(tmp_path))


def test_the_folder_itself_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(documents_below(tmp_path / "nowhere"))
