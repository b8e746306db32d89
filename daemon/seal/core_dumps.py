"""Keeping keys out of core dumps: called first by every process that holds one."""

from __future__ import annotations

import ctypes
import resource


def forget_in_core_dumps() -> None:
    """Keeps keys out of core dumps and out of other processes' reach (prctl(2) PR_SET_DUMPABLE)."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None, use_errno=True).prctl(4, 0, 0, 0, 0)
