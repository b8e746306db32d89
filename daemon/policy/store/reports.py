"""Disposal reports, each as it was made, and what became of it."""

from __future__ import annotations

from sqlalchemy import bindparam, select, update

from daemon.policy.store import tables
from daemon.policy.store.rows import ReportRow
from daemon.policy.store.sql import QueryRunner, insert_if_absent

_R = tables.disposal_report.c
_REPORTS = select(_R.digest, _R.made_at, _R.document, _R.outcome)
_ADD = insert_if_absent(tables.disposal_report)
_FIND = _REPORTS.where(_R.digest == bindparam("of"))
_NEWEST = _REPORTS.order_by(_R.made_at.desc()).limit(1)
_CARRIED_OUT = _REPORTS.where(_R.outcome.is_not(None)).order_by(_R.made_at.desc()).limit(1)
_PUT_OUTCOME = update(tables.disposal_report).where(_R.digest == bindparam("of")).values(outcome=bindparam("said"))


class Reports(QueryRunner):
    """Disposal reports by their digest."""

    def add_report(self, digest: str, made_at: str, document: bytes) -> None:
        """Stores a report. Stored again, it stays as it is."""
        self.run(_ADD, digest=digest, made_at=made_at, document=document, outcome=None)

    def report(self, digest: str) -> ReportRow | None:
        """The report with this digest, or None."""
        return self._row(self.one(_FIND, of=digest))

    def newest_report(self) -> ReportRow | None:
        """The report that was made last, or None before there is one."""
        return self._row(self.one(_NEWEST))

    def last_carried_out(self) -> ReportRow | None:
        """Of the reports of which something became, the one made last; or None."""
        return self._row(self.one(_CARRIED_OUT))

    def put_outcome(self, digest: str, outcome: str) -> None:
        """Notes what became of a report so far."""
        self.run(_PUT_OUTCOME, of=digest, said=outcome)

    @staticmethod
    def _row(row: tuple[str, str, bytes, str | None] | None) -> ReportRow | None:
        return None if row is None else ReportRow(row[0], row[1], bytes(row[2]), row[3])
