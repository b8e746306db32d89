"""Making disposal reports: at most one a day of the agency's, and only when it says something new.

The first of a month also lists what nobody has classified.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime

from daemon.model.custody_actions import CustodyAction
from daemon.model.disposal_report import MOST_REPORTED, DisposalReport, ReportedClip
from daemon.model.parse import parse_model
from daemon.model.times import format_instant
from daemon.policy.cases.clip_case import Case
from daemon.policy.cases.disposal.orders import ordered
from daemon.policy.cases.disposal.retained import Retained, assess, old_enough
from daemon.policy.context import PolicyContext
from daemon.policy.store.rows import ReportRow

log = logging.getLogger(__name__)
_DAY, _MONTH = "disposal reported", "unclassified listed"
"""Names in the store: the day of the last look, and the month of the last list with the digest of its report."""
LARGEST = 64 << 20
"""No report, and nothing about one, has more bytes."""
Sections = dict[str, list[ReportedClip]]


def make_daily(context: PolicyContext) -> None:
    """Makes and records a report, unless one was looked for today or it would say what the newest one says."""
    now = context.now()
    day = context.config.zone.day_of(now)
    if context.store.get(_DAY) == day.isoformat():
        return
    context.store.set(_DAY, day.isoformat())
    month, listed = f"{day:%Y-%m}", context.store.get(_MONTH) or ""
    monthly = not listed.startswith(month)
    if monthly:
        context.store.set(_MONTH, month)
    found = _sections(context, now, monthly=monthly)
    report = _report(context, now, found)
    if not _is_news(context.store.newest_report(), report):
        return
    digest = _keep(context, report)
    if report.unclassified:
        context.store.set(_MONTH, f"{month} {digest}")
        count = len(found["unclassified"])
        log.warning("%d clips are old, and nobody has classified them: bwc policy disposal lists them", count)


def read(row: ReportRow) -> DisposalReport:
    """A report from the store. Raises VerificationError for one that is not as it was written."""
    return parse_model(DisposalReport, row.document, what=f"disposal report {row.digest}", limit=LARGEST)


def last_unclassified(context: PolicyContext) -> ReportRow | None:
    """The report that last listed what nobody has classified; None before there is one."""
    _, _, digest = (context.store.get(_MONTH) or "").partition(" ")
    return context.store.report(digest)


def _sections(context: PolicyContext, now: datetime, *, monthly: bool) -> Sections:
    found: Sections = {"due": [], "overdue": [], "unclassified": [], "kept": []}
    for clip in old_enough(context, now):
        if ordered(context, clip.dock_id, clip.clip_id):
            continue
        standing = assess(context, Case(context, clip, now))
        section = _section(standing, now, monthly=monthly)
        if section is not None:
            found[section].append(standing.reported())
        if section in {"due", "overdue"}:
            _record_due(context, standing)
    return found


def _section(standing: Retained, now: datetime, *, monthly: bool) -> str | None:
    if standing.due(now) or standing.overdue(now):
        if standing.still_wanted:
            return "kept"
        return "overdue" if standing.overdue(now) else "due"
    return "unclassified" if monthly and standing.demand.kind == "unclassified" else None


def _record_due(context: PolicyContext, standing: Retained) -> None:
    """Records once for each clip that its time is over."""
    clip = standing.clip
    key = f"disposal {clip.dock_id} {clip.clip_id}"
    if context.store.get(key) is None:
        context.store.set(key, format_instant(context.now()))
        detail = {"keep_until": format_instant(standing.until or standing.most)}
        context.record(CustodyAction.DISPOSAL_DUE, clip.clip_id, detail, (clip.seal_sha256,))


def _report(context: PolicyContext, now: datetime, found: Sections) -> DisposalReport:
    return DisposalReport(
        agency=context.config.agency,
        made_at=now,
        left_out=sum(max(0, len(clips) - MOST_REPORTED) for clips in found.values()),
        due=tuple(found["due"][:MOST_REPORTED]),
        overdue=tuple(found["overdue"][:MOST_REPORTED]),
        unclassified=tuple(found["unclassified"][:MOST_REPORTED]),
        kept=tuple(found["kept"][:MOST_REPORTED]),
    )


def _is_news(newest: ReportRow | None, report: DisposalReport) -> bool:
    if newest is not None and newest.outcome is None:
        return read(newest).model_copy(update={"made_at": report.made_at}) != report
    return bool(report.due or report.overdue or report.unclassified or report.kept)


def _keep(context: PolicyContext, report: DisposalReport) -> str:
    data = report.to_bytes()
    digest = hashlib.sha256(data).hexdigest()
    context.store.add_report(digest, format_instant(report.made_at), data)
    counts = {name: len(getattr(report, name)) for name in ("due", "overdue", "unclassified", "kept")}
    context.record(CustodyAction.DISPOSAL_REPORTED, None, {"report_sha256": digest, **counts}, ())
    log.info("disposal report %s: %d clips due, %d overdue", digest, counts["due"], counts["overdue"])
    return digest
