"""What a bay's thread and its camera's reader process say to each other. Each message is one of these, as JSON.

A pipe carries them. A command has an `id`; every answer to it has the same. Both ends parse, and nothing is pickled:
a reader that a hostile camera has taken over can say nothing but these.

    Scan            -> Scanned
    ReadCaptures    -> CapturesRead
    Seal            -> Progress … Written … Alive … BatchSealed
    WriteReceipts   -> ReceiptsWritten
    Erase           -> Alive … ErasedFiles
    SetPace         -> (nothing)

What fails as a whole is answered with Failed. A *stem* is a clip's name on the camera (daemon.dock.camera.file_names).
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from daemon.core.settle import FileStat
from daemon.model import errors
from daemon.model.errors import BwcError, CameraReadError, NotDurableError
from daemon.model.statements import WrappedKey
from daemon.vault.space import disk_full

_BASE64 = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")


@dataclass(frozen=True)
class ReaderLimits:
    """What a camera may hold: clips, and bytes in one clip."""

    max_clips: int
    max_clip_bytes: int


@dataclass(frozen=True)
class SealTarget:
    """Where a sealed file goes, and whom its data key is wrapped to: `recipients` are public keys, PEM."""

    path: str
    clip_id: str
    dock_id: str
    capture_sha256: str | None
    recipients: tuple[str, ...]


@dataclass(frozen=True)
class SealRequest:
    """One clip to be sealed: the footage as it was found, and where it goes."""

    stem: str
    footage: FileStat
    target: SealTarget


@dataclass(frozen=True)
class EraseRequest:
    """What must lie there to be deleted. With `sha256` the file is read first."""

    footage: FileStat
    sha256: str | None


# commands


@dataclass(frozen=True)
class Scan:
    """What is on the camera?"""

    id: int
    do: Literal["scan"] = "scan"


@dataclass(frozen=True)
class ReadCaptures:
    """The capture files of these clips."""

    id: int
    stems: tuple[str, ...]
    do: Literal["captures"] = "captures"


@dataclass(frozen=True)
class SealClips:
    """Seal these clips; several are made durable together."""

    id: int
    clips: tuple[SealRequest, ...]
    do: Literal["seal"] = "seal"


@dataclass(frozen=True)
class WriteReceipts:
    """Receipts, by stem, to be durable on the camera."""

    id: int
    receipts: dict[str, bytes]
    do: Literal["receipts"] = "receipts"
    __pydantic_config__: ClassVar[ConfigDict] = _BASE64


@dataclass(frozen=True)
class Erase:
    """Delete these clips from the camera, by stem."""

    id: int
    clips: dict[str, EraseRequest]
    do: Literal["erase"] = "erase"


@dataclass(frozen=True)
class SetPace:
    """Read footage at most so fast from now on; 0 is no limit."""

    bytes_per_second: float
    do: Literal["pace"] = "pace"


# answers


@dataclass(frozen=True)
class Failure:
    """An error as it crosses the pipe. `error` names a class of daemon.model.errors, or is `OSError`."""

    error: str
    message: str
    errno: int | None = None

    @classmethod
    def of(cls, error: BwcError | OSError) -> Failure:
        """As raised in the reader."""
        if isinstance(error, BwcError):
            return cls(type(error).__name__, str(error))
        return cls("OSError", f"{error.strerror}", error.errno)

    def to_error(self) -> BwcError:
        """What it means to the dock. OSError is about the vault's medium; what is not known counts as the camera's."""
        match self.error:
            case "NotDurableError" | "TamperedError" | "UnavailableError":
                kind: type[BwcError] = getattr(errors, self.error)
                return kind(self.message)
            case "OSError" if self.errno in {errno.ENOSPC, errno.EDQUOT}:
                return disk_full()
            case "OSError":
                return NotDurableError(f"writing the sealed file failed: {self.message}")
            case _:
                return CameraReadError(self.message)


@dataclass(frozen=True)
class FoundClip:
    """A clip on the camera: its footage, and its capture file where there is one."""

    stem: str
    footage: FileStat
    capture: FileStat | None


@dataclass(frozen=True)
class SealedFile:
    """One sealed file, durable and read back. Digests are lowercase hex SHA-256, sizes bytes, times seconds."""

    clip_sha256: str
    sealed_sha256: str
    size: int
    sealed_bytes: int
    seconds: float
    sync_seconds: float
    read_back_seconds: float


@dataclass(frozen=True)
class SealResult:
    """A clip that is sealed. `playable`: whether its container is whole."""

    playable: bool
    sealed: SealedFile
    wrapped_keys: tuple[WrappedKey, ...]


@dataclass(frozen=True)
class Scanned:
    """The content of camera.json, and every clip, by stem."""

    id: int
    camera: bytes | Failure
    clips: tuple[FoundClip, ...]
    say: Literal["scanned"] = "scanned"
    __pydantic_config__: ClassVar[ConfigDict] = _BASE64


@dataclass(frozen=True)
class CapturesRead:
    """Each capture file's content, 64 KiB at most, or why it cannot be read."""

    id: int
    captures: dict[str, bytes | Failure]
    say: Literal["captures"] = "captures"
    __pydantic_config__: ClassVar[ConfigDict] = _BASE64


@dataclass(frozen=True)
class Progress:
    """So many bytes of the batch are read."""

    id: int
    done: int
    say: Literal["progress"] = "progress"


@dataclass(frozen=True)
class Alive:
    """Long work goes on."""

    id: int
    say: Literal["alive"] = "alive"


@dataclass(frozen=True)
class Written:
    """The batch is written: the camera is free for the next."""

    id: int
    say: Literal["written"] = "written"


@dataclass(frozen=True)
class BatchSealed:
    """The batch is read back; each clip's result, or why it was not sealed, in the batch's order."""

    id: int
    clips: tuple[SealResult | Failure, ...]
    say: Literal["sealed"] = "sealed"


@dataclass(frozen=True)
class ReceiptsWritten:
    """Durable on the camera, but for those that `failed`."""

    id: int
    failed: dict[str, Failure]
    say: Literal["receipts"] = "receipts"


@dataclass(frozen=True)
class ErasedFiles:
    """Deleted durably, but for those that `failed`."""

    id: int
    failed: dict[str, Failure]
    say: Literal["erased"] = "erased"


@dataclass(frozen=True)
class Failed:
    """The command failed as a whole."""

    id: int
    failure: Failure
    say: Literal["failed"] = "failed"


Command = Scan | ReadCaptures | SealClips | WriteReceipts | Erase | SetPace
Answer = (
    Scanned | CapturesRead | Progress | Alive | Written | BatchSealed | ReceiptsWritten | ErasedFiles | Failed
)  # in the order in which a docking hears them

_COMMANDS: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="do")])
_ANSWERS: TypeAdapter[Answer] = TypeAdapter(Annotated[Answer, Field(discriminator="say")])


def command_bytes(command: Command) -> bytes:
    """A command as it goes over the pipe."""
    return _COMMANDS.dump_json(command)


def parse_command(data: bytes) -> Command:
    """Raises pydantic.ValidationError."""
    return _COMMANDS.validate_json(data)


def answer_bytes(answer: Answer) -> bytes:
    """An answer as it goes over the pipe."""
    return _ANSWERS.dump_json(answer)


def parse_answer(data: bytes) -> Answer:
    """Raises pydantic.ValidationError."""
    return _ANSWERS.validate_json(data)
