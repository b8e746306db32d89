"""The faults that a camera can have: a table of names, each with a line of help."""

from __future__ import annotations

from collections.abc import Iterable

from device_sim.errors import usage

FAULTS = {
    "torn-capture": "the capture's JSON is cut in half",
    "oversize-capture": "the capture is larger than 1 MiB",
    "no-capture": "no capture is ever written",
    "bad-signature": "the capture names the camera's key but was signed by another",
    "unknown-signer": "the capture is signed by a key that nobody enrolled",
    "wrong-digest": "the capture names another digest than the footage has",
    "truncated": "the MP4 is cut short; the capture agrees with the bytes there are",
    "keep": "never erases a clip, whatever the receipt says",
    "yank": "pulled out of the bay after --yank-after seconds; reads under way come to an end",
    "slow": "the footage is still growing for --slow-for seconds after docking",
}


def checked(names: Iterable[str]) -> frozenset[str]:
    """The faults as a set. Raises a usage error for one that is not in the table."""
    chosen = frozenset(names)
    for name in sorted(chosen - FAULTS.keys()):
        raise usage(f"unknown fault {name}", f"one of: {', '.join(FAULTS)}")
    return chosen


def help_text() -> str:
    """A line for each fault: its name and what it does."""
    return "\n".join(f"  {name:17} {what}" for name, what in FAULTS.items())
