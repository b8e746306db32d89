"""A camera's reader, as its bay's thread uses it. The real one is a process of its own (daemon.dock.camera.handle)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from daemon.dock.camera.messages import (
    EraseRequest,
    Failure,
    ReaderLimits,
    Scanned,
    SealRequest,
    SealResult,
)
from daemon.model.errors import BwcError, CameraReadError


class ReaderGoneError(CameraReadError):
    """The reader ended: the camera was unplugged, or its process was killed. A new one may go on."""


class CameraUnusableError(CameraReadError):
    """The camera does not answer (its reader may hang in the kernel), or its reader says what ours never say.

    Not tried again until it is docked anew.
    """


@dataclass
class SealBatch:
    """`size` clips being sealed together. `progress` hears how many of their bytes are read."""

    number: int
    size: int
    progress: Callable[[int], None]
    written: bool = False
    results: tuple[SealResult | Failure, ...] | None = None


class Reader(Protocol):
    """One docked camera. Used by one thread at a time; only `kill` may come from another.

    Every method but `kill` and `close` raises ReaderGoneError and CameraUnusableError.
    """

    def scan(self) -> Scanned:
        """What is on the camera. Raises CameraReadError."""

    def captures(self, stems: Sequence[str]) -> dict[str, bytes | CameraReadError]:
        """Clips' capture files, at most 64 KiB each, or why one cannot be read."""

    def begin(self, requests: Sequence[SealRequest], progress: Callable[[int], None]) -> SealBatch:
        """Begins to seal clips; several are made durable together."""

    def await_written(self, batch: SealBatch) -> None:
        """Returns once the camera is free for the next batch."""

    def await_results(self, batch: SealBatch) -> list[SealResult | BwcError]:
        """Returns once the batch is sealed: each clip's result, or in its place CameraReadError, DiskFullError,
        NotDurableError or TamperedError.
        """

    def begin_receipts(self, receipts: Mapping[str, bytes]) -> int:
        """Begins to write receipts, by their clips' stems. Returns the number to wait for."""

    def await_receipts(self, number: int) -> dict[str, BwcError]:
        """Returns once those receipts are durable on the camera: the ones that could not be written, and why."""

    def erase(self, clips: Mapping[str, EraseRequest]) -> dict[str, BwcError]:
        """Deletes clips from the camera, durably there. Returns those that were not deleted, and why: CameraReadError
        when what lies there is something else and was left alone, UnavailableError when deleting failed.
        """

    def set_pace(self, bytes_per_second: float) -> None:
        """From now on footage is read at most so fast; 0 is no limit."""

    def kill(self) -> None:
        """Ends a read under way: whoever waits for it gets ReaderGoneError."""

    def close(self) -> None:
        """Lets go of the camera."""


OpenReader = Callable[[Path, ReaderLimits, float], Reader]
"""Opens the camera mounted at a path. The last argument: seconds without a word after which it counts as hanging."""
