"""Valid documents made invalid, in ways that a seed repeats: bytes, JSON values, spellings."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

Path = tuple[Any, ...]
HUGE = 1 << 63
ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**53,
    HUGE,
    2 * HUGE - 1,
    1.5,
    1e308,
    "",
    "\x00",
    "a\nb\x1b[31m",
    "\u202egnp.4pm",
    "..",
    "../../etc/passwd",
    "a/b",
    "x" * 300,
    "é" * 2001,
    "1971-01-01T00:00:00.000Z",
    "9000-12-31T23:59:59.999Z",
    "2023-02-30T00:00:00.000Z",
    "2023-11-29T21:45:02.120+00:00",
    [],
    {},
    [[]],
    {"": ""},
    ["x"] * 1001,
    "ab" * 32,
    "AB" * 32,
    "٣" * 64,
)
"""Values that fit somewhere, or nowhere."""
_TOKENS = (
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"9" * 5000,
    b'"\\ud800"',
    b"[" * 3000,
    b'{"a":' * 3000,
    b"\xff",
    b"01",
    b"-",
)


def mutate(rng: random.Random, data: bytes) -> bytes:
    """`data` with one to three things wrong with it. A byte before a JSON document (a target's own mark) stays."""
    mark = data[:1] if data[:1] not in b"{[" and data[1:2] == b"{" else b""
    data = data.removeprefix(mark)
    ways = _JSON if data[:1] == b"{" and rng.random() < 0.5 else _WAYS
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice(ways)(rng, data)
    return mark + data


def change_value(rng: random.Random, document: Any) -> Any:
    """A parsed JSON document with one value, wherever it stands, odd, missing, moved or joined by a stranger."""
    copy = json.loads(json.dumps(document))
    places = list(_places(copy))
    if not places:
        return rng.choice(ODD)
    path = rng.choice(places)
    holder = copy
    for step in path[:-1]:
        holder = holder[step]
    match rng.randrange(6):
        case 0:
            del holder[path[-1]]
        case 1 if isinstance(holder, dict):
            holder[rng.choice(("unknown", "", "schema", "x" * 2000, "a\nb"))] = rng.choice(ODD)
        case 2:
            other = rng.choice(places)
            taken = copy
            try:
                for step in other:
                    taken = taken[step]
            except (KeyError, IndexError, TypeError):
                taken = None
            holder[path[-1]] = json.loads(json.dumps(taken))
        case _:
            holder[path[-1]] = rng.choice(ODD)
    return copy


def _places(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    inner: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(value, dict):
        inner = iter(value.items())
    elif isinstance(value, list):
        inner = iter(enumerate(value))
    for key, one in inner:
        yield from _places(one, (*path, key))


def _flip(rng: random.Random, data: bytes) -> bytes:
    if not data:
        return b"\x00"
    changed = bytearray(data)
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _cut_out(rng: random.Random, data: bytes) -> bytes:
    start, end = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
    return data[:start] + data[end:]


def _repeat(rng: random.Random, data: bytes) -> bytes:
    start, end = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
    return data[:end] + data[start:end] * rng.choice((1, 2, 20)) + data[end:]


def _insert(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice((rng.randbytes(rng.randrange(1, 9)), *_TOKENS)) + data[at:]


def _value(rng: random.Random, data: bytes) -> bytes:
    try:
        return json.dumps(change_value(rng, json.loads(data)), ensure_ascii=rng.random() < 0.5).encode()
    except (ValueError, RecursionError):
        return _flip(rng, data)


def _literal(rng: random.Random, data: bytes) -> bytes:
    """A value that JSON has no word for, or that is a bomb, in a value's place."""
    at = data.find(b":", rng.randrange(len(data) + 1))
    if at < 0:
        return _insert(rng, data)
    end = min((found for mark in b",}" if (found := data.find(mark, at)) >= 0), default=len(data))
    return data[: at + 1] + rng.choice(_TOKENS) + data[end:]


def _twice(rng: random.Random, data: bytes) -> bytes:
    """A key that stands twice, with another value the second time."""
    try:
        document = json.loads(data)
        key = rng.choice(sorted(document))
    except (ValueError, TypeError, IndexError, RecursionError):
        return _repeat(rng, data)
    again = json.dumps(key).encode() + b":" + json.dumps(rng.choice(ODD)).encode()
    return b"{" + again + b"," + data.lstrip()[1:] if rng.random() < 0.5 else data.rstrip()[:-1] + b"," + again + b"}"


def _payload(rng: random.Random, data: bytes) -> bytes:
    """What an envelope (or one within the document) carries, changed; its signature as it was."""
    try:
        document = json.loads(data)
        found = [one for one in (document, *document.values()) if isinstance(one, dict) and "payload" in one]
        envelope = rng.choice(found)
        payload = base64.b64decode(envelope["payload"])
    except (ValueError, TypeError, AttributeError, IndexError, RecursionError):
        return _value(rng, data)
    changed = rng.choice((_value, _value, _flip, _twice, _truncate))(rng, payload)
    envelope["payload"] = base64.b64encode(changed).decode()
    return json.dumps(document).encode()


_WAYS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _flip,
    _flip,
    _truncate,
    _cut_out,
    _repeat,
    _insert,
    _value,
    _value,
    _literal,
    _twice,
    _payload,
)
_JSON = (_value, _value, _payload, _payload, _twice)
