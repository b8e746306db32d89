"""A topic level or file name for any id, and back: the one place where an id that is text becomes a name.

Percent-encoding (RFC 3986 section 2.1) of every byte that is not a letter, digit, dot, underscore or hyphen. An id that
is safe already is its own name; every other name has a `%`, which none of those has. So one name is one id's.
"""

from __future__ import annotations

import re

_UNSAFE = re.compile(rb"[^A-Za-z0-9._-]")
_ENCODED = re.compile(r"%([0-9A-F]{2})")


def safe_name(text: str) -> str:
    """The name of an id. `.` and `..` mean something to a filesystem, so their dots are encoded as well."""
    data = text.encode("utf-8", "surrogatepass")
    if data.strip(b".") == b"" and len(data) <= 2:
        return "%2E" * len(data)
    return _UNSAFE.sub(lambda found: b"%%%02X" % found[0][0], data).decode("ascii")


def read_safe_name(name: str) -> str:
    """The id whose name this is. Raises ValueError for what `safe_name` never gives."""
    data = _ENCODED.sub(lambda found: chr(int(found[1], 16)), name).encode("latin-1")
    text = data.decode("utf-8", "surrogatepass")
    if safe_name(text) != name:
        raise ValueError(f"{name!r} is nothing's name")
    return text
