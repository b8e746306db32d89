"""Disposal reports: when one is made, what stands in it and why, and that its digest is its spelling's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.model import statements as st
from daemon.model.disposal_report import DisposalReport
from daemon.policy.cases.disposal import reports
from tests.kit import agency
from tests.kit.agency import CLIP, OTHER_CLIP
from tests.kit.policy_fixture import INCIDENT, Office, open_office

OTHER_INCIDENT = "23-310009"
RETENTION: dict[str, Any] = {"categories": {"traffic": 30, "dui": 730}, "by_force": {"deadly": 900}}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = open_office(tmp_path, retention=RETENTION, timezone="America/Los_Angeles")
    yield office
    office.context.store.close()


def recorded(office: Office, days: float, clip_id: str = CLIP, **options: Any) -> None:
    office.announce(office.notice(clip_id, recorded=office.clock.now() - timedelta(days=days), **options))


def newest(office: Office) -> DisposalReport | None:
    row = office.context.store.newest_report()
    return reports.read(row) if row else None


def later(office: Office, **by: float) -> DisposalReport | None:
    office.clock.turn(**by)
    office.tick()
    return newest(office)


def label(office: Office, category: str, by: str, **changes: Any) -> st.Label:
    values = {"clip_id": CLIP, "category": category, "at": office.clock.now()}
    made = st.Label.model_validate(values | changes)
    assert office.attest(made, by)[0]
    return made


def test_what_is_due_stands_in_the_report_with_the_word_that_set_the_date(office: Office) -> None:
    recorded(office, 100)
    office.classify("none")
    assert later(office, days=79) is None
    report = later(office, days=1, seconds=1)
    assert report is not None and (report.overdue, report.unclassified, report.kept) == ((), (), ())
    [due] = report.due
    assert (due.clip_id, due.dock_id) == (CLIP, "dock-1")
    assert due.keep_until == due.recorded_at + timedelta(days=180)
    assert due.kept_by.plain() == {"kind": "default", "days": 180.0}


def test_a_report_is_one_spelling_whose_digest_stands_in_custody(office: Office) -> None:
    recorded(office, 181)
    office.classify("none")
    report = later(office, seconds=1)
    row = office.context.store.newest_report()
    assert report is not None and row is not None
    assert row.document == report.to_bytes()
    assert row.digest == hashlib.sha256(row.document).hexdigest()
    [entry] = office.log("disposal_reported")
    assert entry["detail"] == {"report_sha256": row.digest, "due": 1, "overdue": 0, "unclassified": 0, "kept": 0}
    assert [due["clip_id"] for due in office.log("disposal_due")] == [CLIP]


def test_one_report_a_day_of_the_agencys_and_none_that_says_nothing_new(office: Office) -> None:
    recorded(office, 181)
    office.classify("none")
    later(office, seconds=1)
    recorded(office, 181, OTHER_CLIP)
    office.classify("none")
    later(office, hours=9, minutes=59)  # 23:59 in Portland
    assert len(office.log("disposal_reported")) == 1
    report = later(office, minutes=2)
    assert report is not None and {clip.clip_id for clip in report.due} == {CLIP, OTHER_CLIP}
    later(office, days=1)
    assert len(office.log("disposal_reported")) == 2
    assert len(office.log("disposal_due")) == 2, "once for each clip"


def test_a_label_keeps_longer_and_is_named(office: Office) -> None:
    recorded(office, 100)
    office.classify("none")
    label(office, "dui", "witness")
    label(office, "traffic", "records")
    assert later(office, days=629) is None
    report = later(office, days=2)
    assert report is not None
    assert report.due[0].kept_by.plain() == {"kind": "label", "by": "witness", "category": "dui", "days": 730.0}


def test_a_later_label_of_the_same_signer_does_not_replace_a_longer_one(office: Office) -> None:
    recorded(office, 181)
    office.classify("none")
    label(office, "dui", "records")
    office.clock.turn(minutes=1)
    label(office, "traffic", "records")
    assert later(office, days=1) is None


def test_whoever_withdraws_a_label_alone_is_told_that_it_takes_two(office: Office) -> None:
    recorded(office, 181)
    office.classify("none")
    digest = agency.signed(label(office, "dui", "supervisor"), "supervisor").digest
    assert office.notes[-1] is None
    withdrawal = st.Withdrawal(attestation_sha256=digest, reason="a mistake", at=office.clock.now())
    assert office.attest(withdrawal, "affairs") == (
        False,
        "SignerNotAllowedError: only supervisor or the chief may withdraw it",
    )
    assert office.attest(withdrawal, "records")[0]
    assert "two people" in (office.notes[-1] or "")
    assert office.attest(withdrawal, "supervisor")[0]
    assert office.notes[-1] is None
    report = later(office, days=1)
    assert report is not None and len(report.due) == 1


def test_an_unknown_category_is_refused_with_the_closest(office: Office) -> None:
    recorded(office, 181)
    statement = st.Label(clip_id=CLIP, category="DUI-1", at=office.clock.now())
    accepted, reason = office.attest(statement, "officer")
    assert not accepted and reason is not None
    assert reason.startswith("InconsistentError") and "dui" in reason


def test_footage_filed_under_a_short_category_is_kept_for_its_force(office: Office) -> None:
    recorded(office, 181)
    office.classify("deadly")
    label(office, "traffic", "supervisor")
    assert later(office, days=700) is None
    report = later(office, days=20)
    assert report is not None and report.due[0].kept_by.kind == "force"
    assert report.due[0].kept_by.incident_id == INCIDENT


@pytest.mark.parametrize("word", ["hold", "request"])
def test_what_a_hold_or_a_request_keeps_is_named_and_not_due(office: Office, word: str) -> None:
    recorded(office, 181)
    office.classify("none")
    if word == "hold":
        hold = st.Hold(hold_id="h1", incident_id=INCIDENT, state="placed", reason="suit", at=office.clock.now())
        assert office.attest(hold, "chief")[0]
    else:
        assert office.ask("detective", CLIP, "report")["outcome"] == "refused"
    report = later(office, days=1)
    assert report is not None and report.due == ()
    [kept] = report.kept
    assert kept.kept_by.plain() == (
        {"kind": "hold", "hold_id": "h1"} if word == "hold" else {"kind": "request", "by": "detective"}
    )
    assert kept.keep_until is None
    assert office.log("disposal_due") == []


def test_what_nobody_classified_is_listed_once_a_month_and_is_never_due(office: Office) -> None:
    office.clock.at = datetime(2023, 11, 29, 22, tzinfo=UTC)
    recorded(office, 200)
    report = later(office, hours=1)
    assert report is not None and [clip.clip_id for clip in report.unclassified] == [CLIP]
    assert report.unclassified[0].kept_by.plain() == {"kind": "unclassified", "incident_id": INCIDENT}
    assert report.due == report.overdue == ()
    listed = reports.last_unclassified(office.context)
    assert listed is not None and reports.read(listed) == report
    at = datetime(2023, 12, 1, 7, 59, tzinfo=UTC)
    report = later(office, seconds=(at - office.clock.now()).total_seconds())
    assert report is not None and report.unclassified == (), "not again in November, which it is in Portland still"
    report = later(office, minutes=2)
    assert report is not None and len(report.unclassified) == 1


@pytest.mark.parametrize("force", [None, "none", "deadly"])
def test_past_the_longest_time_allowed_it_is_overdue_unless_a_case_or_a_hold_has_it(
    office: Office, force: str | None
) -> None:
    recorded(office, 900)
    if force is not None:
        office.classify(force)
    later(office, days=12)
    assert (newest(office) or DisposalReport(agency="a", made_at=office.clock.now())).overdue == ()
    report = later(office, days=2)
    assert report is not None and [clip.clip_id for clip in report.overdue] == [CLIP]
    label(office, "traffic", "records", case_number="23CR-1")
    report = later(office, days=1)
    assert report is not None and report.overdue == (), "a case has it"
    assert [clip.clip_id for clip in report.due] == ([CLIP] if force else [])


def test_a_camera_whose_clock_lagged_does_not_make_its_footage_old(office: Office) -> None:
    recorded(office, 200, skew=-50 * 86_400.0)
    office.classify("none", incident_id=None, clip_ids=[CLIP])
    assert later(office, days=29) is None
    report = later(office, days=2)
    assert report is not None and len(report.due) == 1
