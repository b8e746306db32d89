"""The error tree. Errors are told apart by type, never by their text.

A message is lowercase, without a final period, and names what is wrong and where.
A hint says what the reader can do about it; the command line prints it on its own line.
"""

from __future__ import annotations

from typing import ClassVar


class BwcError(Exception):
    """Base of every error this project raises on purpose.

    `exit_code` is what a command ends with: 1 failed, 2 usage or configuration,
    3 locked (policy refuses), 4 verification failed.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ConfigurationError(BwcError):
    """A file or option given by the administrator cannot be used as it is."""

    exit_code = 2


class LockedError(BwcError):
    """Policy does not (or no longer) let this person open this clip."""

    exit_code = 3


class NotDurableError(BwcError):
    """An fsync, rename or commit failed: what is on the medium is unknown. Stop; never retry."""


class UnavailableError(BwcError):
    """Something outside (broker, disk, mount) does not answer just now; trying later may help."""


class VerificationError(BwcError):
    """Something is not what it claims to be. Subclasses say at which step it failed."""

    exit_code = 4


class MalformedError(VerificationError):
    """Step 1: not parseable within its size limit."""


class BadSignatureError(VerificationError):
    """Step 2: no valid signature by a key that is enrolled and not revoked at that time."""


class SignerNotAllowedError(VerificationError):
    """Step 3: the signer may not say this, or not about this subject."""


class SchemaError(VerificationError):
    """Step 4: the payload does not fit its schema."""


class InconsistentError(VerificationError):
    """Step 5: ids, digests or times disagree with what is known, or a time lies ahead of now."""


class ReplayedError(VerificationError):
    """Step 6: seen before. Harmless; noted."""


class TamperedError(VerificationError):
    """Stored evidence or a log no longer matches its digest, signature or proof."""


class CameraReadError(BwcError):
    """Reading a camera's mount failed; the clip is still on the camera."""
