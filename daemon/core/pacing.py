"""How fast bytes may be moved: a pace is told of every piece, and waits as long as it must."""

from __future__ import annotations

from collections.abc import Callable

Pace = Callable[[int], None]
"""Told how many bytes are moved, just before or just after; returns when the next may be moved."""


def at_full_speed(_: int) -> None:
    """The pace of whoever has no limit."""
