"""The keys of a dock's vault in object storage. They begin with `<url>/<dock_id>/`:

clips/<clip_id>/clip.sealed/<sha256>                     the sealed file
clips/<clip_id>/papers.json/<entries>-<sha256>           all its small files in one object; new when they change
custody/<first>.jsonl/<sha256>                           some of the custody log's lines, the first is entry <first>
custody/checkpoint.txt/<size>-<sha256>                   a signed checkpoint over so many lines

A quarantined clip lies below `clips` too, and does not move when it is admitted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from daemon.vault.replica.objects import Stored

SEALED = "clip.sealed"
PAPERS = "papers.json"
LOG = "custody"


def clip_prefix(clip_id: str) -> str:
    """What the keys of all of a clip's objects begin with."""
    return f"clips/{clip_id}"


def sealed_key(clip_id: str, sealed_sha256: str) -> str:
    """The key of a clip's sealed file. It ends in the SHA-256 of the file."""
    return f"{clip_prefix(clip_id)}/{SEALED}/{sealed_sha256}"


def papers_key(clip_id: str, entries: int, data: bytes) -> str:
    """The key of a clip's packed small files. `entries`: how many its custody record has, 0 without one."""
    return f"{clip_prefix(clip_id)}/{PAPERS}/{entries:012d}-{_digest(data)}"


def lines_key(first: int, data: bytes) -> str:
    """The key of custody lines, of which the first is entry `first`. It ends in the SHA-256 of `data`."""
    return f"{LOG}/{first:012d}.jsonl/{_digest(data)}"


def checkpoint_key(size: int, data: bytes) -> str:
    """The key of a checkpoint over `size` entries. It ends in the SHA-256 of `data`."""
    return f"{LOG}/checkpoint.txt/{size:012d}-{_digest(data)}"


def newest(found: Iterable[Stored], clip_id: str) -> Stored | None:
    """A clip's newest packed small files among `found`; None when there are none. Other names are ignored."""
    prefix = f"{clip_prefix(clip_id)}/{PAPERS}/"
    papers = (stored for stored in found if stored.key.startswith(prefix) and stored.digest is not None)
    return max(papers, key=lambda stored: stored.key, default=None)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
