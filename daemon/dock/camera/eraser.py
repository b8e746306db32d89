"""In the reader process: deleting from the camera just those files that the dock took in, and nothing else.

The capture goes first, durably, then the footage. If it is unplugged in between, the clip is still seen and recognized.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable

from daemon.core.settle import FileStat
from daemon.dock.camera import safe_open
from daemon.dock.camera.file_names import CAPTURE, FOOTAGE, name_of_stem
from daemon.dock.camera.messages import EraseRequest, Failure
from daemon.model.errors import BwcError, CameraReadError, UnavailableError

_CHUNK = 4 << 20


class Eraser:
    """On an open mount. `alive` is called while a long file is read."""

    def __init__(self, mount: int, limit: int, alive: Callable[[], None]) -> None:
        self._mount, self._limit, self._alive = mount, limit, alive

    def erase(self, clips: dict[str, EraseRequest]) -> dict[str, Failure]:
        """Returns those that failed; the others are deleted, and that is durable.

        CameraReadError: the file is not the one that was asked for, and was left. UnavailableError: all else.
        """
        failed: dict[str, Failure] = {}
        try:
            folder = safe_open.open_directory(self._mount, "clips")
        except CameraReadError as error:
            return dict.fromkeys(clips, _failure(UnavailableError(f"could not be erased: {error}")))
        try:
            meant = self._each(list(clips), failed, lambda stem: self._check(folder, stem, clips[stem]))
            meant = self._each(
                meant, failed, lambda stem: _unlink(folder, name_of_stem(stem) + CAPTURE, missing_ok=True)
            )
            meant = self._sync_directory(folder, meant, failed)
            meant = self._each(meant, failed, lambda stem: _unlink_same(folder, stem, clips[stem].footage))
            meant = self._sync_directory(folder, meant, failed)
        finally:
            safe_open.close(folder)
        return failed

    def _each(self, stems: list[str], failed: dict[str, Failure], step: Callable[[str], None]) -> list[str]:
        """Those that the step succeeded for; the others are noted as failed."""
        done = []
        for stem in stems:
            try:
                step(stem)
            except (BwcError, OSError) as error:
                failed[stem] = _failure(error)
            else:
                done.append(stem)
        return done

    def _sync_directory(self, folder: int, stems: list[str], failed: dict[str, Failure]) -> list[str]:
        """Makes the deletions durable. If the camera's own medium fails to sync, nothing of ours is lost."""
        try:
            os.fsync(folder)
        except OSError as error:
            failed |= dict.fromkeys(stems, _failure(error))
            return []
        return stems

    def _check(self, folder: int, stem: str, wanted: EraseRequest) -> None:
        """Raises CameraReadError for any file but the one that was read."""
        name = name_of_stem(stem) + FOOTAGE
        _same(folder, name, wanted.footage)
        if wanted.sha256 is not None and self._digest(name, wanted.footage.size) != wanted.sha256:
            raise CameraReadError("its bytes are not those that were taken in; left on the camera")

    def _digest(self, name: str, size: int) -> str | None:
        """SHA-256 of the whole file, None when it ends early."""
        digest, left = hashlib.sha256(), size
        fd = safe_open.open_file(self._mount, f"clips/{name}", limit=self._limit)
        try:
            while left and (data := os.read(fd, min(_CHUNK, left))):
                digest.update(data)
                left -= len(data)
                self._alive()
        finally:
            safe_open.close(fd)
        return None if left else digest.hexdigest()


def _same(folder: int, name: str, footage: FileStat) -> None:
    info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    ours = stat.S_ISREG(info.st_mode) and info.st_nlink == 1 and info.st_dev == os.fstat(folder).st_dev
    if not ours or FileStat(info.st_size, info.st_mtime_ns, info.st_ctime_ns) != footage:
        raise CameraReadError("not the very file that was taken in; left on the camera")


def _unlink_same(folder: int, stem: str, footage: FileStat) -> None:
    _same(folder, name_of_stem(stem) + FOOTAGE, footage)  # once more: captures were deleted and synced in between
    _unlink(folder, name_of_stem(stem) + FOOTAGE)


def _unlink(folder: int, name: str, *, missing_ok: bool = False) -> None:
    """Of the name itself: a link there is not followed."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        if not missing_ok:
            raise


def _failure(error: BwcError | OSError) -> Failure:
    if isinstance(error, BwcError):
        return Failure.of(error)
    return Failure("UnavailableError", f"could not be erased: {error.strerror}")
