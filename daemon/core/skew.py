"""How far a camera's clock is from the dock's, in seconds: positive when it is ahead."""

from __future__ import annotations


def docking_skew(measured: float, unseen: float) -> float:
    """The smallest skew that fits what was measured.

    A camera notes its time when it is docked; the dock compares that with its own clock at its first look. If it could
    not look for `unseen` seconds before, the camera may have stood there for that long, and then only seems to lag.
    """
    return min(measured + unseen, 0.0) if measured < 0 else measured
