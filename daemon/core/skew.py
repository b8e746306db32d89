"""How far a camera's clock is from the dock's, in seconds: positive when it is ahead."""

from __future__ import annotations


def docking_skew(measured: float, unseen: float) -> float:
    """Of the skews that a measurement allows, the least.

    A camera notes its time when it is docked; the dock compares it with its own at its first look. Where it could not
    look for up to `unseen` seconds before, the camera may have stood there as long, and seems to lag by as much.
    """
    return min(measured + unseen, 0.0) if measured < 0 else measured
