"""A clip's names on a camera: `<stem>.mp4` and `<stem>.capture.json`, the stem spelled so that everything takes it."""

from __future__ import annotations

import os

FOOTAGE, CAPTURE = ".mp4", ".capture.json"
_BYTES = "bytes:"


def stem_of_name(name: str) -> str:
    """A clip's file name as text that everything takes. Bytes that are no UTF-8 (an attacker's) are spelled in hex."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return _BYTES + os.fsencode(name).hex()
    return _BYTES + name.encode().hex() if name.startswith(_BYTES) else name


def name_of_stem(stem: str) -> str:
    """The inverse of `stem_of_name`."""
    return os.fsdecode(bytes.fromhex(stem.removeprefix(_BYTES))) if stem.startswith(_BYTES) else stem
