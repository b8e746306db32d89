"""Listing folders that come and go while one looks."""

from __future__ import annotations

import glob
from pathlib import Path


def matching(folder: Path, pattern: str) -> list[Path]:
    """Files below `folder` that match. A folder that leaves meanwhile holds none.

    `Path.glob` raises `FileNotFoundError` there (until Python 3.13), and in a test's thread that ends the thread.
    """
    return sorted(folder / name for name in glob.glob(pattern, root_dir=folder, recursive=True))
