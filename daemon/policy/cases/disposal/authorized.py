"""Scheduled disposal: chief and records authorize a report, and what it names is ordered once it has its age.

Each clip is judged again then. What is not due any more, held, asked for, or concerns an approver is named with the
reason and left; it needs a later report. A report is carried out once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from daemon.model import statements as st
from daemon.model import strict_json
from daemon.model.custody_actions import CustodyAction
from daemon.model.disposal_report import ReportedClip, ReportOutcome, Withheld
from daemon.model.parse import parse_model
from daemon.model.times import format_instant, parse_instant
from daemon.policy.cases.approvals import DisposalApproval, disposal_approvals
from daemon.policy.cases.clip_case import Case
from daemon.policy.cases.disposal import clocks, orders, reports
from daemon.policy.cases.disposal.retained import assess
from daemon.policy.cases.hearing import word_of
from daemon.policy.context import PolicyContext
from daemon.policy.store.rows import ReportRow
from daemon.policy.testimony.withdrawals import Withdrawals
from daemon.policy.testimony.words import Word, of_kind

log = logging.getLogger(__name__)
AT_ONCE = 500
"""How many clips of a report are ordered in one transaction. The rest follows at the schedule's next run."""


@dataclass(frozen=True)
class DueClip:
    """A clip of a report, and whether it stood there as overdue."""

    clip: ReportedClip
    overdue: bool


def carry_out(context: PolicyContext) -> None:
    """Orders what authorized reports name, where `retention.dispose` is automatic."""
    schedule = context.config.retention
    if schedule.dispose != "automatic":
        return
    for digest, words in sorted(_authorizations(context).items()):
        row = context.store.report(digest)
        approvals = disposal_approvals(words, context.now())
        if row is None or not approvals or context.now() < parse_instant(row.made_at) + timedelta(schedule.notice_days):
            continue
        outcome = outcome_of(row)
        if outcome.left:
            _go_on(context, row, outcome, approvals)


def _authorizations(context: PolicyContext) -> dict[str, list[Word[st.Authorization]]]:
    """The authorizations that stand now, by the report that they name."""
    words = [word_of(context, row) for row in context.store.about_reports()]
    words = [word for word in words if word.moment <= context.now()]
    withdrawals = Withdrawals(words)
    found: dict[str, list[Word[st.Authorization]]] = {}
    for word in of_kind(words, st.Authorization):
        report = word.statement.report_sha256
        if report is not None and word.trusted and not withdrawals.any_of(word):
            found.setdefault(report, []).append(word)
    return found


def outcome_of(row: ReportRow) -> ReportOutcome:
    """What became of a report so far."""
    if row.outcome is None:
        return ReportOutcome()
    return parse_model(
        ReportOutcome, row.outcome.encode(), what=f"outcome of report {row.digest}", limit=reports.LARGEST
    )


def _go_on(context: PolicyContext, row: ReportRow, outcome: ReportOutcome, approvals: list[DisposalApproval]) -> None:
    """The next clips of a report. Waits while the clocks disagree."""
    named = list(_named(row))
    batch = named[outcome.done : outcome.done + AT_ONCE]
    if not _clocks_allow(context, {one.clip.dock_id for one in batch}):
        return
    given, withheld = 0, list(outcome.withheld)
    for one in batch:
        clip = one.clip
        if orders.ordered(context, clip.dock_id, clip.clip_id):
            continue
        why = _order_or_say_why(context, row, one, approvals)
        if why is None:
            given += 1
            continue
        withheld.append(Withheld(dock_id=clip.dock_id, clip_id=clip.clip_id, reason=why))
        context.record(CustodyAction.DISPOSAL_WITHHELD, clip.clip_id, {"report_sha256": row.digest, "reason": why}, ())
    done = outcome.done + len(batch)
    new = ReportOutcome(left=done < len(named), done=done, ordered=outcome.ordered + given, withheld=tuple(withheld))
    context.store.put_outcome(row.digest, strict_json.dump(new.plain()).decode())
    log.info("disposal report %s: %d clips ordered, %d withheld", row.digest, new.ordered, len(withheld))


def _named(row: ReportRow) -> Iterator[DueClip]:
    report = reports.read(row)
    yield from (DueClip(clip, overdue=False) for clip in report.due)
    yield from (DueClip(clip, overdue=True) for clip in report.overdue)


def _clocks_allow(context: PolicyContext, dock_ids: set[str]) -> bool:
    """Whether at least one of these docks' clocks agrees with ours, and none that was heard lately differs."""
    agreeing = [dock_id for dock_id in sorted(dock_ids) if clocks.agree(context, dock_id)]
    differing = any(clocks.differs(context, dock_id) for dock_id in dock_ids)
    return not dock_ids or (bool(agreeing) and not differing)


def _order_or_say_why(
    context: PolicyContext, row: ReportRow, one: DueClip, approvals: list[DisposalApproval]
) -> str | None:
    """Orders one clip. In words why not; None when it is ordered."""
    clip, now = context.store.clip(one.clip.clip_id, one.clip.dock_id), context.now()
    if clip is None or clip.disposed:
        return "it is not there any more"
    if clip.clip_sha256 != one.clip.clip_sha256:
        return "it is other footage than the report names"
    case = Case(context, clip)
    parties, standing = case.testimony.parties, assess(context, case)
    approval = next((pair for pair in approvals if all(map(parties.may_act, pair.signers))), None)
    if approval is None:
        party = next(person for pair in approvals for person in pair.signers if not parties.may_act(person))
        return f"{party}, who authorized it, {parties.part_of(party)}"
    if standing.still_wanted is not None:
        return standing.still_wanted
    if not (standing.overdue(now) if one.overdue else standing.due(now)):
        until = f"until {format_instant(standing.until)}" if standing.until else "without end"
        return f"it is kept {until} now, for its {standing.demand.kind}"
    why = clocks.disagreement(context, clip.dock_id)
    if why is not None:
        return why
    reason = "past the longest time allowed" if one.overdue else "the retention period is over"
    orders.order(
        context, clip, f"{reason}; chief and records authorized disposal report {row.digest}", approval.digests
    )
    return None
