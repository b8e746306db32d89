"""Where a dock's vault lies in object storage. One dock's replica is a vault too, below `<url>/<dock_id>/`:

clips/<clip_id>/<file>/<sha256>                          each file of a clip, by the name it has in the vault
clips/<clip_id>/custody.json/<entries>-<sha256>          the clip's record, one for every length it had
custody/<first>.jsonl/<sha256>                           the custody log's lines from number <first> on, in pieces
custody/checkpoint.txt/<size>-<sha256>                   signed checkpoints over that many lines

A clip's place does not change with its admission from quarantine: `clips` holds both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from daemon.model.errors import TamperedError
from daemon.vault.objects import Stored

SEALED = "clip.sealed"
CUSTODY = "custody.json"
LOG = "custody"


def clip_prefix(clip_id: str) -> str:
    return f"clips/{clip_id}"


def sealed_key(clip_id: str, sealed_sha256: str) -> str:
    return f"{clip_prefix(clip_id)}/{SEALED}/{sealed_sha256}"


def statement_key(clip_id: str, name: str, data: bytes) -> str:
    """A signed file of the clip; `name` relative to its directory."""
    return f"{clip_prefix(clip_id)}/{name}/{_digest(data)}"


def custody_key(clip_id: str, entries: int, data: bytes) -> str:
    return f"{clip_prefix(clip_id)}/{CUSTODY}/{entries:012d}-{_digest(data)}"


def lines_key(first: int, data: bytes) -> str:
    return f"{LOG}/{first:012d}.jsonl/{_digest(data)}"


def checkpoint_key(size: int, data: bytes) -> str:
    return f"{LOG}/checkpoint.txt/{size:012d}-{_digest(data)}"


def newest(found: Iterable[Stored], prefix: str) -> dict[str, Stored]:
    """The objects of one clip (or of the log) by their names in the vault, of those with several the longest.

    Raises TamperedError where two differ that can only be one; what is named otherwise is none of ours and left out.
    """
    chosen: dict[str, Stored] = {}
    for stored in found:
        name, _, leaf = stored.key.removeprefix(f"{prefix}/").rpartition("/")
        if not name or stored.digest is None:
            continue
        before = chosen.get(name)
        if before is not None and "-" not in leaf:
            raise TamperedError(f"{stored.key}: there is also {before.key}, and only one of them can be true")
        if before is None or leaf > before.key.rpartition("/")[2]:
            chosen[name] = stored
    return chosen


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
