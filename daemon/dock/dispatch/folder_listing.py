"""Which files of the watched folder are dispatch documents: `*.json`, whatever the case, in it and below it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOST_FOLDERS = 10_000
"""So many folders are looked into; an exporter that makes one a day needs that many in 27 years."""


@dataclass(frozen=True)
class FoundFile:
    """A file, its name within the folder, and how long and from when it is."""

    name: str
    path: Path
    size: int
    modified_ns: int


@dataclass(frozen=True)
class NotLookedAt:
    """A folder or file that cannot be looked at, and why. It stops no other."""

    name: str
    reason: str


def documents_below(root: Path) -> Iterator[FoundFile | NotLookedAt]:
    """By name. Hidden ones are work in progress; links are not followed. Raises OSError for `root` itself."""
    waiting, looked = [""], 0
    while waiting:
        folder, looked = waiting.pop(), looked + 1
        if looked > MOST_FOLDERS:
            yield NotLookedAt(folder, f"more than {MOST_FOLDERS} folders")
            return
        try:
            with os.scandir(root / folder) as listed:
                entries = sorted((entry for entry in listed if not entry.name.startswith(".")), key=lambda e: e.name)
        except OSError as error:
            if not folder:
                raise
            yield NotLookedAt(folder, error.strerror or "cannot be read")
            continue
        below = []
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    below.append(name)
                elif entry.name.lower().endswith(".json") and entry.is_file(follow_symlinks=False):
                    info = entry.stat(follow_symlinks=False)
                    yield FoundFile(name, Path(entry.path), info.st_size, info.st_mtime_ns)
            except OSError as error:
                yield NotLookedAt(name, error.strerror or "cannot be read")
        waiting += reversed(below)
