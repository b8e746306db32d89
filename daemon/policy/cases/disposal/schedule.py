"""The retention schedule, run every hour by the service that leads."""

from __future__ import annotations

from daemon.policy.cases.disposal import authorized, orders, reports
from daemon.policy.context import PolicyContext


def run_schedule(context: PolicyContext) -> None:
    """Makes the day's report, carries out what was authorized, and dates anew what docks have not carried out."""
    reports.make_daily(context)
    authorized.carry_out(context)
    orders.date_anew(context)
