"""When a camera may erase a clip: only with a receipt for exactly its bytes, signed by a dock that it knows."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from device_sim import envelope, times

_FIELDS = {"clip_id", "dock_id", "camera_serial", "clip_sha256", "sealed_sha256", "sequence", "erase_after"}
_DIGEST = re.compile(r"[0-9a-f]{64}")


class ReceiptError(Exception):
    """The receipt does not allow erasing; the message says why."""


def erase_after(raw: bytes, *, serial: str, sha256: str, dock_keys: list[Ed25519PublicKey]) -> datetime:
    """The time from which the clip with the digest `sha256` may be erased. Raises ReceiptError.

    The receipt's clip_id may differ from the camera's: a dock gives a new one when the camera's is not a UUID or is
    used already. The digest and the serial bind the receipt to the clip.
    """
    try:
        payload = envelope.open_envelope(raw, "receipt", dock_keys)
    except envelope.EnvelopeError as bad:
        raise ReceiptError(str(bad)) from bad
    _check_form(payload)
    if payload["camera_serial"] != serial:
        raise ReceiptError(f"is for camera {payload['camera_serial']}")
    if payload["clip_sha256"] != sha256:
        raise ReceiptError("is for other footage: clip_sha256 differs from what was recorded")
    try:
        return times.parse(payload["erase_after"])
    except (ValueError, OverflowError) as bad:  # datetime ends in the year 9999
        raise ReceiptError("erase_after is no time") from bad


def _check_form(payload: dict[str, Any]) -> None:
    if payload.keys() != _FIELDS:
        odd = ", ".join(sorted(payload.keys() ^ _FIELDS))
        raise ReceiptError(f"has missing or unknown fields: {odd}")
    for name in _FIELDS - {"sequence"}:
        if not isinstance(payload[name], str):
            raise ReceiptError(f"{name} is not text")
    if not isinstance(payload["sequence"], int) or isinstance(payload["sequence"], bool) or payload["sequence"] < 0:
        raise ReceiptError("sequence is not a count")
    for name in ("clip_sha256", "sealed_sha256"):
        if not _DIGEST.fullmatch(payload[name]):
            raise ReceiptError(f"{name} is not a sha-256 digest")
