"""All small files of a clip as one object: stores count requests, and answer each as slowly as the next."""

from __future__ import annotations

import re
from collections.abc import Mapping

from daemon.model import strict_json
from daemon.model.errors import MalformedError, TamperedError

_NAMES = re.compile(
    r"(seal|capture|custody|tags/[0-9]{1,9}|releases/[A-Za-z0-9._-]{1,64}\.(release|revocation))\.json\Z", re.ASCII
)
LIMIT = 16 << 20
_MOST = 10_000


def pack(files: Mapping[str, bytes]) -> bytes:
    """`{"files": {name: text}}`, names relative to the clip's directory. Raises TamperedError for what is no UTF-8."""
    try:
        return strict_json.dump({"files": {name: data.decode("utf-8") for name, data in files.items()}})
    except UnicodeDecodeError as error:
        raise TamperedError(f"a clip's signed file is not text ({error.reason})") from None


def unpack(data: bytes, *, what: str) -> dict[str, bytes]:
    """The files by their names; those that no clip has are left out. Raises TamperedError for what was never folded."""
    try:
        files = strict_json.parse_object(data, what=what, limit=LIMIT).get("files")
    except MalformedError as error:
        raise TamperedError(str(error)) from None
    if not isinstance(files, dict) or not all(isinstance(text, str) for text in files.values()):
        raise TamperedError(f"{what}: holds no files")
    if len(files) > _MOST:
        raise TamperedError(f"{what}: {len(files)} files, more than a clip has")
    return {name: text.encode() for name, text in files.items() if _NAMES.match(name)}
