"""Keeping keys out of core dumps. Every process that holds a key calls this first."""

from __future__ import annotations

import ctypes
import resource


def forget_in_core_dumps() -> None:
    """Turns core dumps off, and stops other processes from reading this one's memory (prctl(2) PR_SET_DUMPABLE)."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None, use_errno=True).prctl(4, 0, 0, 0, 0)
