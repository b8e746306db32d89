"""A vault as commands name it: a directory, or the URL of a dock's replica in object storage."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.vault.replica.objects import open_objects
from daemon.vault.sources import Directory, Replica, Source


@contextmanager
def source_at(vault: str, settings: Path | None) -> Iterator[Source]:
    """Reads from `vault`; what is fetched from a URL is gone afterwards. Raises ConfigurationError."""
    if not is_url(vault):
        yield Directory(Path(vault))
        return
    with replica_at(vault, settings) as replica:
        yield replica


@contextmanager
def replica_at(url: str, settings: Path | None) -> Iterator[Replica]:
    """A dock's replica. Raises ConfigurationError."""
    objects = open_objects(url.rstrip("/"), settings)
    with tempfile.TemporaryDirectory(prefix="bwc-") as folder:
        yield Replica(objects, Path(folder))


def is_url(vault: str) -> bool:
    """Whether a vault is named by URL, not by path."""
    return "://" in vault
