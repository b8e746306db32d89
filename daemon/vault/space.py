"""How much room a vault has."""

from __future__ import annotations

import os
from pathlib import Path


def free_bytes(path: Path) -> int:
    """Bytes an unprivileged process can still write at `path`."""
    info = os.statvfs(path)
    return info.f_bavail * info.f_frsize
