"""What a clip found on a camera becomes: its id, its integrity, and whether the dock holds it already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from daemon.model.statements import Integrity
from daemon.model.types import is_clip_id

CaptureState = Literal["verified", "absent", "unusable", "refused"]
"""verified: the capture's signature and claims hold. absent: there is none. unusable: it cannot be parsed. refused: its
signature or claims do not hold.
"""


@dataclass(frozen=True)
class Identity:
    """The id a clip gets; `claimed` keeps the one it came with when that could not be used."""

    clip_id: str
    claimed: str | None


def identify(claimed: str, fresh: Callable[[], str], *, verified: bool, taken: bool) -> Identity:
    """The id for a clip that is not held already: its own only if its capture is `verified`, otherwise a fresh one.

    A file's name alone says nothing: it may be that of a colleague's clip at another dock. The id is fresh as well when
    the claimed one is no UUID, or is `taken` by other footage here.
    """
    if verified and is_clip_id(claimed) and not taken:
        return Identity(claimed, None)
    return Identity(fresh(), ascii(claimed)[1:-1][:200])


def integrity(capture: CaptureState, *, digest_agrees: bool, playable: bool) -> Integrity:
    """The integrity to announce. Only `verified` and `unplayable` (a flag) stay out of quarantine."""
    if capture in {"absent", "unusable"}:
        return "unsigned"
    if capture == "refused" or not digest_agrees:
        return "mismatch"
    return "verified" if playable else "unplayable"


def quarantined(value: Integrity) -> bool:
    """Whether footage of this integrity goes into quarantine."""
    return value in {"unsigned", "mismatch"}
