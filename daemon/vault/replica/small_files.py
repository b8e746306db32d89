"""All small files of a clip packed into one object, because stores charge for each request and each takes long."""

from __future__ import annotations

import re
from collections.abc import Mapping

from daemon.model import strict_json
from daemon.model.errors import MalformedError, TamperedError

_NAMES = re.compile(
    r"(seal|capture|custody|tags/[0-9]{1,9}|releases/[A-Za-z0-9._-]{1,64}\.(release|revocation))\.json\Z", re.ASCII
)
LIMIT = 16 << 20
"""Largest packed object, in bytes."""
_MOST = 10_000


def pack(files: Mapping[str, bytes]) -> bytes:
    """JSON `{"files": {name: text}}`; names relative to the clip's directory. Raises TamperedError for bad UTF-8."""
    try:
        return strict_json.dump({"files": {name: data.decode("utf-8") for name, data in files.items()}})
    except UnicodeDecodeError as error:
        raise TamperedError(f"a clip's signed file is not text ({error.reason})") from None


def unpack(data: bytes, *, what: str) -> dict[str, bytes]:
    """The files by name, without names that no clip has. Raises TamperedError for data that `pack` did not make."""
    try:
        files = strict_json.parse_object(data, what=what, limit=LIMIT).get("files")
    except MalformedError as error:
        raise TamperedError(str(error)) from None
    if not isinstance(files, dict) or not all(isinstance(text, str) for text in files.values()):
        raise TamperedError(f"{what}: holds no files")
    if len(files) > _MOST:
        raise TamperedError(f"{what}: {len(files)} files; a clip has at most {_MOST}")
    return {name: text.encode() for name, text in files.items() if _NAMES.match(name)}
