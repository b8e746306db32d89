"""Instants: timezone-aware UTC datetimes, written as RFC 3339 with milliseconds and `Z`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_FORM = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$"
_FIRST_YEAR, _LAST_YEAR = 1971, 9000
_FIRST = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC)
_LAST = datetime(_LAST_YEAR + 1, 1, 1, tzinfo=UTC) - timedelta(milliseconds=1)
_COMPILED = re.compile(_FORM, re.ASCII)


def format_instant(at: datetime) -> str:
    """`2023-11-29T21:45:02.120Z`. Raises ValueError for a naive datetime."""
    if at.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return at.isoformat(timespec="milliseconds")[:-6] + "Z"


def parse_instant(text: object) -> datetime:
    """The inverse of `format_instant`; accepts exactly that form, or an aware datetime.

    Raises ValueError otherwise.
    """
    if isinstance(text, datetime):
        if text.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return truncate(text)
    if not isinstance(text, str) or not _COMPILED.match(text):
        raise ValueError("expected a time like 2023-11-29T21:45:02.120Z")
    return truncate(datetime.fromisoformat(text))


def truncate(at: datetime) -> datetime:
    """The same instant in UTC, cut to whole milliseconds, as it would be read back.

    Raises ValueError outside the years 1971 to 9000: no clock says so honestly, and sums with it would overflow.
    """
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        raise ValueError(f"the year {at.year} is beyond any clock's")
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    finer = at.microsecond % 1000
    return at - timedelta(microseconds=finer) if finer else at


def put_right(at: datetime, ahead: float) -> datetime:
    """An instant of a clock that was `ahead` seconds ahead, by the clock it was compared with.

    A camera may claim any two times, so what would lie outside the years that `truncate` takes becomes the first or the
    last instant of them.
    """
    try:
        return min(max(at - timedelta(seconds=ahead), _FIRST), _LAST)
    except OverflowError:
        return _FIRST if ahead > 0 else _LAST


Instant = Annotated[
    datetime,
    BeforeValidator(parse_instant),
    PlainSerializer(format_instant, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": _FORM}),
]
"""A pydantic field type for an instant."""
