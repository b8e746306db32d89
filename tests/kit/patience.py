"""How long a test waits for an event that must come. It costs nothing when the event comes."""

from __future__ import annotations

PATIENCE = 180.0
"""Seconds: for a machine that has five times as much to do as it has cores, and more."""
