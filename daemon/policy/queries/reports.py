"""`disposal_report`: a disposal report's text, in pieces. Put together again, it hashes to the report's digest."""

from __future__ import annotations

from daemon.model import statements as st
from daemon.model.errors import InconsistentError
from daemon.model.query_results import ReportPiece
from daemon.model.times import parse_instant
from daemon.policy.context import PolicyContext
from daemon.policy.queries.roles import DISPOSES, require
from daemon.policy.queries.rows import Found, parts_of

_PIECE = 16_000
_MOST = 40
"""Pieces in one answer."""


def find_report(context: PolicyContext, asked: st.AskedReport, person_id: str) -> Found:
    """The pieces of a report. Raises SignerNotAllowedError, or InconsistentError when there is none."""
    require(context, person_id, DISPOSES, "disposal reports are")
    after = parts_of(asked.after, 2)
    digest, begin = (after[0], _number(after[1])) if after else (asked.sha256, 0)
    row = context.store.report(digest) if digest else context.store.newest_report()
    if row is None:
        raise InconsistentError(f"no disposal report {digest}" if digest else "no disposal report was made yet")
    text, made_at, end = row.document.decode(), parse_instant(row.made_at), begin + _PIECE * _MOST
    pieces = [
        ReportPiece(sha256=row.digest, made_at=made_at, text=text[start : start + _PIECE])
        for start in range(begin, min(end, len(text)), _PIECE)
    ]
    return Found([*pieces], f"{row.digest} {end}" if end < len(text) else None)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise InconsistentError("after: expected what an answer gave as its next")
    return int(text)
