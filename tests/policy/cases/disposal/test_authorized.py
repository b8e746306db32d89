"""Scheduled disposal: what chief and records authorize over a report is ordered, and what is left is named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.model import statements as st
from daemon.model.documents import Lock
from daemon.policy.cases.disposal.authorized import outcome_of
from daemon.policy.store.rows import ReportRow
from tests.kit import agency
from tests.kit.agency import CLIP, OTHER_CLIP
from tests.kit.policy_fixture import INCIDENT, Office, open_office

AUTOMATIC: dict[str, Any] = {"dispose": "automatic", "categories": {"dui": 730}}


def made(folder: Path, url: str = "sqlite", **retention: Any) -> Office:
    """An office with a clip that is due, and a report that says so."""
    office = open_office(folder, retention=AUTOMATIC | retention, store={"url": url})
    office.announce(office.notice(recorded=office.clock.now() - timedelta(days=181)))
    office.classify("none")
    office.tick()
    return office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = made(tmp_path)
    yield office
    office.context.store.close()


def report(office: Office) -> ReportRow:
    row = office.context.store.newest_report()
    assert row is not None
    return row


def authorize(office: Office, *people: str, **changes: Any) -> list[tuple[bool, str | None]]:
    values: dict[str, Any] = {
        "authorization_id": "d1",
        "report_sha256": report(office).digest,
        "purposes": ["disposal"],
        "expires_at": office.clock.now() + timedelta(days=60),
    }
    said = []
    for minute, person in enumerate(people):
        at = office.clock.now() + timedelta(milliseconds=minute)
        said.append(office.attest(st.Authorization.model_validate({"issued_at": at} | values | changes), person))
    return said


def ordered(office: Office, clip_id: str = CLIP) -> list[st.Disposal]:
    return [order.statement(st.Disposal) for order in office.orders(clip_id) if order.kind == "disposal"]


def withheld(office: Office) -> dict[str, str]:
    row = office.context.store.last_carried_out()
    return {clip.clip_id: clip.reason for clip in outcome_of(row).withheld} if row else {}


def test_a_report_that_nobody_authorized_disposes_of_nothing(office: Office) -> None:
    for _ in range(3):
        office.clock.turn(days=30)
        office.tick()
    assert ordered(office) == []


def test_chief_and_records_over_the_digest_dispose_once_the_report_has_its_age(tmp_path: Path, store_url: str) -> None:
    office = made(tmp_path, store_url)
    assert authorize(office, "chief", "records") == [(True, None), (True, None)]
    office.clock.turn(days=13, hours=23)
    office.tick()
    assert ordered(office) == []
    office.clock.turn(hours=1)
    office.tick()
    [order] = ordered(office)
    assert len(order.approvals) == 2 and order.court_order_sha256 is None
    assert report(office).digest in order.because[0].reason
    assert outcome_of(report(office)).ordered == 1
    office.tick()
    assert len(ordered(office)) == 1, "a report is carried out once"
    office.context.store.close()


@pytest.mark.parametrize("people", [("chief",), ("records",), ("chief", "chief"), ("records", "records")])
def test_one_of_them_alone_disposes_of_nothing(office: Office, people: tuple[str, ...]) -> None:
    authorize(office, *people)
    office.clock.turn(days=15)
    office.tick()
    assert ordered(office) == []


def test_two_who_signed_different_authorizations_have_not_signed_one(office: Office) -> None:
    authorize(office, "chief", authorization_id="d1")
    authorize(office, "records", authorization_id="d2")
    office.clock.turn(days=15)
    office.tick()
    assert ordered(office) == []


def test_a_withdrawn_or_ended_authorization_authorizes_nothing(office: Office) -> None:
    authorize(office, "records")
    values = {"authorization_id": "d1", "report_sha256": report(office).digest, "purposes": ["disposal"]}
    times = {"issued_at": office.clock.now(), "expires_at": office.clock.now() + timedelta(days=60)}
    signed = st.Authorization.model_validate(values | times)
    assert office.attest(signed, "chief")[0]
    withdrawal = st.Withdrawal(
        attestation_sha256=agency.signed(signed, "chief").digest, reason="r", at=office.clock.now()
    )
    assert office.attest(withdrawal, "chief")[0]
    authorize(office, "chief", "records", authorization_id="d2", expires_at=office.clock.now() + timedelta(days=13))
    office.clock.turn(days=15)
    office.tick()
    assert ordered(office) == []


def test_a_report_that_is_not_known_is_refused(office: Office) -> None:
    [(accepted, reason)] = authorize(office, "chief", report_sha256="ab" * 32)
    assert not accepted and reason is not None and reason.startswith("InconsistentError")


def test_where_the_agency_only_wants_reports_nothing_is_ordered(tmp_path: Path) -> None:
    office = made(tmp_path, dispose="report")
    authorize(office, "chief", "records")
    assert "nothing is ordered" in (office.notes[-1] or "")
    office.clock.turn(days=15)
    office.tick()
    assert ordered(office) == []
    office.context.store.close()


def hold(office: Office, clip_id: str) -> st.Statement:
    return st.Hold(hold_id="h1", clip_id=clip_id, state="placed", reason="a suit", at=office.clock.now())


def force(office: Office, clip_id: str) -> st.Statement:
    values = {"force": "none", "in_custody_death": False, "clip_ids": [clip_id], "involved": ["chief"]}
    times = {"occurred_at": office.clock.now() - timedelta(days=1), "classified_at": office.clock.now()}
    return st.Classification.model_validate(values | times)


def longer(office: Office, clip_id: str) -> st.Statement:
    return st.Label(clip_id=clip_id, category="dui", at=office.clock.now())


def asked(office: Office, clip_id: str) -> st.Statement:
    return st.Request(request_id="r1", clip_id=clip_id, purpose="report", requested_at=office.clock.now())


@pytest.mark.parametrize(
    ("word", "by", "says"),
    [
        (hold, "affairs", "held by h1"),
        (longer, "officer", "its label"),
        (asked, "detective", "detective's request"),
        (force, "affairs", "chief, who authorized it, is named as involved"),
    ],
)
def test_what_came_after_the_report_withholds_its_clip_alone_and_is_named(
    tmp_path: Path, word: Any, by: str, says: str
) -> None:
    office = open_office(tmp_path, retention=AUTOMATIC)
    for clip_id, incident_id in ((CLIP, INCIDENT), (OTHER_CLIP, "23-310009")):
        recorded = office.clock.now() - timedelta(days=181)
        office.announce(office.notice(clip_id, recorded=recorded, incidents=(incident_id,)))
        office.classify("none", incident_id=incident_id)
    office.tick()
    authorize(office, "chief", "records")
    office.clock.turn(days=10)
    assert office.attest(word(office, CLIP), by)[0]
    office.clock.turn(days=4)
    office.tick()
    assert (len(ordered(office)), len(ordered(office, OTHER_CLIP))) == (0, 1)
    assert says in withheld(office)[CLIP]
    [entry] = office.log("disposal_withheld")
    assert entry["clip_id"] == CLIP and says in entry["detail"]["reason"]
    office.context.store.close()


def test_only_over_a_report_is_an_unclassified_clip_ever_disposed_of_and_only_past_the_longest_time(
    tmp_path: Path,
) -> None:
    office = open_office(tmp_path, retention=AUTOMATIC)
    office.announce(office.notice(recorded=office.clock.now() - timedelta(days=900)))
    office.tick()
    authorize(office, "chief", "records")  # a list of what nobody classified authorizes nothing
    office.clock.turn(days=15)
    office.tick()
    assert ordered(office) == []
    authorize(office, "chief", "records", authorization_id="d2")
    office.clock.turn(days=14)
    office.tick()
    assert len(ordered(office)) == 1
    office.context.store.close()


# clocks


@pytest.mark.parametrize("ahead", [timedelta(hours=-2), timedelta(hours=2), timedelta(days=-3650)])
def test_while_a_docks_clock_and_ours_differ_nothing_is_ordered(office: Office, ahead: timedelta) -> None:
    authorize(office, "chief", "records")
    office.dock_offset = ahead
    office.clock.turn(days=15)
    office.tick()
    assert ordered(office) == []
    office.dock_offset = timedelta(minutes=59)
    office.tick()
    assert len(ordered(office)) == 1


def test_a_clock_years_ahead_with_no_dock_heard_orders_nothing(office: Office) -> None:
    authorize(office, "chief", "records", expires_at=office.clock.now() + timedelta(days=9000))
    office.dock_offset = None
    office.clock.turn(days=3650)
    office.tick()
    assert ordered(office) == []


def test_that_clocks_differ_is_said_once(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    authorize(office, "chief", "records")
    office.dock_offset = timedelta(hours=-2)
    office.clock.turn(days=15)
    for _ in range(3):
        office.tick()
    assert len([line for line in caplog.messages if "clocks differ" in line]) == 1


# orders that wait


def test_an_order_that_waits_is_dated_anew_once_a_day(office: Office) -> None:
    authorize(office, "chief", "records")
    office.clock.turn(days=14)
    office.tick()
    office.clock.turn(hours=23)
    office.tick()
    assert len(ordered(office)) == 1
    office.clock.turn(hours=1)
    office.tick()
    first, second = ordered(office)
    assert second == first.model_copy(update={"ordered_at": office.clock.now()})
    [row] = office.context.store.waiting_disposals()
    assert row.envelope == office.orders(CLIP)[-1].to_bytes(), "this one is repeated from now on"


def test_a_hold_takes_back_an_order_that_waits(office: Office) -> None:
    authorize(office, "chief", "records")
    office.clock.turn(days=14)
    office.tick()
    assert office.attest(hold(office, CLIP), "affairs")[0]
    office.clock.turn(days=1)
    office.tick()
    assert len(ordered(office)) == 1 and office.context.store.waiting_disposals() == []
    assert office.log("disposal_withheld")[-1]["detail"]["reason"] == "it is held by h1"
    gone = Lock(state="disposed", reason="disposed of by order")
    none = {"seal_envelope": None, "capture_envelope": None, "tag_envelope": None}
    office.announce(office.notice().model_copy(update={"lock": gone, **none}))
    row = office.context.store.clip(CLIP)
    assert row is not None and row.disposed, "its dock had carried it out before"
