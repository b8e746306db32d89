"""What is found for a question, and how it is cut into pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from daemon.model import strict_json
from daemon.model.errors import InconsistentError
from daemon.model.types import Document

_PAGE_BYTES = 60_000
"""A page ends before it has more bytes. A row that is larger has a page of its own."""


@dataclass(frozen=True)
class Found:
    """The rows of an answer. `next`: where to go on, when there are more."""

    rows: list[Document]
    next: str | None = None

    def pages(self) -> Iterator[list[Document]]:
        """The rows, page by page; one empty page when there are none."""
        page: list[Document] = []
        size = 0
        for row in self.rows:
            bytes_of_row = len(strict_json.dump(row.plain()))
            if page and size + bytes_of_row > _PAGE_BYTES:
                yield page
                page, size = [], 0
            page.append(row)
            size += bytes_of_row
        yield page


def parts_of(cursor: str | None, count: int) -> tuple[str, ...] | None:
    """The parts of a cursor, or None without one. Raises InconsistentError for one that no answer gave."""
    if cursor is None:
        return None
    parts = tuple(cursor.split(" "))
    if len(parts) != count:
        raise InconsistentError("after: expected what an answer gave as its next")
    return parts
