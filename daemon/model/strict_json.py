"""JSON from strangers: bounded, unambiguous (RFC 8259 with the strictness of RFC 7493, I-JSON)."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from daemon.model.errors import MalformedError

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(data: bytes, *, what: str, limit: int = 65536) -> Any:
    """The value in `data` (UTF-8).

    `what` names the source in errors. Raises MalformedError when it is larger than `limit` bytes, not
    JSON, nested too deep, or ambiguous: duplicate keys, NaN or infinities, integers beyond 64 bits, lone surrogates.
    """
    if len(data) > limit:
        raise MalformedError(f"{what}: {len(data)} bytes, larger than the {limit} allowed")
    try:
        value = _decode(data.decode("utf-8"))
        if _SURROGATE_ESCAPE.search(data):
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # a lone surrogate does not encode
    except RecursionError:
        raise MalformedError(f"{what}: nested too deep") from None
    except ValueError as error:  # JSON, UTF-8 and our hooks alike
        raise MalformedError(f"{what}: not valid JSON ({error})") from None
    return value


def parse_object(data: bytes, *, what: str, limit: int = 65536) -> dict[str, Any]:
    """As `parse`, and the value must be an object."""
    value = parse(data, what=what, limit=limit)
    if not isinstance(value, dict):
        raise MalformedError(f"{what}: expected a JSON object")
    return value


def dump(value: Any) -> bytes:
    """One spelling for one value: sorted keys, no spaces, UTF-8."""
    return _encode(value).encode()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return result


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _integer(digits: str) -> int:
    if len(digits) > 20 or not -(1 << 63) <= (value := int(digits)) < 1 << 64:
        raise ValueError("an integer beyond 64 bits")
    return value


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number too large")
    return value


_decode = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_float
).decode
