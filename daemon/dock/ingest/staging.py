"""Putting a sealed clip into its place: staged whole, made durable, then renamed, so that it is complete or absent."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from daemon.dock.ingest.jobs import SignedClip
from daemon.model.errors import NotDurableError
from daemon.seal.stream import sealed_size
from daemon.vault import durable
from daemon.vault.layout import ClipDirectory, VaultLayout
from daemon.vault.space import disk_full, has_room, room


def reserve(vault: VaultLayout, clip_id: str, size: int, spare: int) -> Path:
    """A fresh, empty directory in `incoming/` for a clip of `size` bytes.

    Raises DiskFullError when taking it in would leave less than `spare` bytes free, NotDurableError when anything
    else fails.
    """
    directory = vault.incoming / clip_id
    with room(directory):
        if not has_room(vault.root, sealed_size(size) + spare):
            raise disk_full()
        discard(vault, clip_id)
        directory.mkdir()
        (directory / "tags").mkdir()
    return directory


def discard(vault: VaultLayout, clip_id: str) -> None:
    """Drops what was staged: the clip is still on its camera, and its key is forgotten. Raises NotDurableError."""
    directory = vault.incoming / clip_id
    try:
        if directory.exists():
            shutil.rmtree(directory)
    except OSError as error:
        raise NotDurableError(f"{directory}: cannot be removed ({error.strerror})") from error


def move_into_place(vault: VaultLayout, clips: Sequence[SignedClip]) -> None:
    """Writes each clip's envelopes beside its sealed file and moves its directory to its place.

    Durable when it returns: one sync for all that was written, then the moves. Raises DiskFullError before anything
    moved, or NotDurableError when anything else fails: then nobody knows what is on the medium.
    """
    moves = []
    for clip in clips:
        clip_id = clip.job.clip_id
        staged = ClipDirectory(vault.incoming / clip_id)
        with room(staged.path):
            if clip.capture_file is not None:
                durable.write_new(staged.capture, clip.capture_file, sync=False)
            durable.write_new(staged.tag(1), clip.tag.to_bytes(), sync=False)
            durable.write_new(staged.seal, clip.seal.to_bytes(), sync=False)
        moves.append((staged.path, vault.clip(clip_id, clip.place).path))
    durable.sync_filesystem(vault.incoming)
    durable.rename_all(moves)
