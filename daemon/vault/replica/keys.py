"""Where a dock's vault lies in object storage. One dock's replica is a vault too, below `<url>/<dock_id>/`:

clips/<clip_id>/clip.sealed/<sha256>                     the sealed file
clips/<clip_id>/papers.json/<entries>-<sha256>           all its small files together, anew when there are more
custody/<first>.jsonl/<sha256>                           the custody log's lines from number <first> on, in pieces
custody/checkpoint.txt/<size>-<sha256>                   signed checkpoints over that many lines

A clip's place does not change with its admission from quarantine: `clips` holds both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from daemon.vault.replica.objects import Stored

SEALED = "clip.sealed"
PAPERS = "papers.json"
LOG = "custody"


def clip_prefix(clip_id: str) -> str:
    """What all of a clip's objects begin with."""
    return f"clips/{clip_id}"


def sealed_key(clip_id: str, sealed_sha256: str) -> str:
    """Of a clip's sealed file: it ends in the SHA-256 of its content."""
    return f"{clip_prefix(clip_id)}/{SEALED}/{sealed_sha256}"


def papers_key(clip_id: str, entries: int, data: bytes) -> str:
    """`entries`: how many the custody record in it has, 0 without one."""
    return f"{clip_prefix(clip_id)}/{PAPERS}/{entries:012d}-{_digest(data)}"


def lines_key(first: int, data: bytes) -> str:
    """Of custody lines, from the first on: it ends in the SHA-256 of its content."""
    return f"{LOG}/{first:012d}.jsonl/{_digest(data)}"


def checkpoint_key(size: int, data: bytes) -> str:
    """Of a checkpoint over so many entries: it ends in the SHA-256 of its content."""
    return f"{LOG}/checkpoint.txt/{size:012d}-{_digest(data)}"


def newest(found: Iterable[Stored], clip_id: str) -> Stored | None:
    """Of one clip's objects the newest papers; what is named otherwise is left out."""
    prefix = f"{clip_prefix(clip_id)}/{PAPERS}/"
    papers = (stored for stored in found if stored.key.startswith(prefix) and stored.digest is not None)
    return max(papers, key=lambda stored: stored.key, default=None)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
