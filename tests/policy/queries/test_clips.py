"""`clips`: whose clips somebody sees, what each row says, and that a long list goes on where it ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from daemon.model import statements as st
from daemon.model.times import format_instant
from daemon.policy.queries import clips as room
from tests.kit.agency import CLIP, NOW, OTHER_CLIP
from tests.kit.policy_fixture import INCIDENT
from tests.policy.queries.asking import Desk


def span(hours: float = 12, **more: Any) -> dict[str, Any]:
    since, until = NOW - timedelta(hours=hours), NOW + timedelta(hours=1)
    return {"what": "clips", "since": format_instant(since), "until": format_instant(until)} | more


def named(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-{number:012x}"


def test_a_supervisor_sees_every_clip_and_an_officer_their_own(desk: Desk) -> None:
    desk.office.announce(desk.office.notice())
    desk.office.announce(desk.office.notice(OTHER_CLIP, officer="partner"))
    rows, following = desk.ask("supervisor", span())
    assert {row["clip_id"] for row in rows} == {CLIP, OTHER_CLIP} and following is None
    [own], _ = desk.ask("partner", span())
    assert (own["clip_id"], own["officer_id"]) == (OTHER_CLIP, "partner")
    assert desk.ask("detective", span()) == ([], None)


def test_after_a_correction_it_is_the_wearers_clip_and_nobody_elses(desk: Desk) -> None:
    desk.office.announce(desk.office.notice())
    correction = st.Correction(clip_id=CLIP, officer_id="partner", reason="pool camera", at=desk.office.clock.now())
    assert desk.office.attest(correction, "records")[0]
    assert [row["officer_id"] for row in desk.ask("partner", span())[0]] == ["partner"]
    assert desk.ask("officer", span()) == ([], None)


def test_a_row_says_what_nobody_has_classified_and_why_somebody_may_not(desk: Desk) -> None:
    desk.office.announce(desk.office.notice())
    desk.office.announce(desk.office.notice(OTHER_CLIP, officer="sergeant", incidents=()))
    rows = {row["clip_id"]: row for row in desk.ask("sergeant", span())[0]}
    assert (rows[CLIP]["unclassified"], rows[CLIP]["alone"]) == ([INCIDENT], False)
    assert rows[CLIP]["standing"]["force"] == "unclassified" and "conflict" not in rows[CLIP]
    assert (rows[OTHER_CLIP]["unclassified"], rows[OTHER_CLIP]["alone"]) == ([], True)
    assert rows[OTHER_CLIP]["conflict"] == "wore this clip's camera, or may have"
    desk.office.classify("none")
    [row], _ = desk.ask("supervisor", span(only="unclassified"))
    assert row["clip_id"] == OTHER_CLIP
    [other] = [row for row in desk.ask("supervisor", span())[0] if row["clip_id"] == CLIP]
    assert (other["unclassified"], other["standing"]["force"]) == ([], "none")


def test_the_docks_clock_says_when_a_clip_began_and_a_doubted_one_is_marked(desk: Desk) -> None:
    """The camera's clock stands a year behind: by the dock's the clip is of this shift."""
    year = timedelta(days=365)
    began = NOW - timedelta(hours=3)
    desk.office.announce(desk.office.notice(recorded=began - year, skew=-year.total_seconds()))
    [row], _ = desk.ask("supervisor", span())
    assert row["started_at"] == format_instant(began - year) and row["clock_doubted"]
    desk.office.classify("none")
    assert [row["unclassified"] for row in desk.ask("supervisor", span())[0]] == [[INCIDENT]]


def test_times_that_no_clock_has_stop_nothing(desk: Desk) -> None:
    desk.office.announce(desk.office.notice(skew=9e11))
    desk.office.announce(desk.office.notice(OTHER_CLIP, skew=-9e11))
    desk.office.classify("none")
    everything = {"what": "clips", "since": "1971-01-01T00:00:00.000Z", "until": "9000-12-31T23:59:59.999Z"}
    assert CLIP in {row["clip_id"] for row in desk.ask("supervisor", everything)[0]}


def test_a_long_list_goes_on_where_it_ended(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_MOST", 3)
    for number in range(8):  # several begin at one instant
        desk.office.announce(desk.office.notice(named(number), recorded=NOW - timedelta(hours=3 - number // 4)))
    rows = desk.all("supervisor", span())
    assert [row["clip_id"] for row in rows] == [named(number) for number in range(8)]
    assert [row["clip_id"] for row in desk.all("officer", span())] == [row["clip_id"] for row in rows]
    assert desk.all("partner", span()) == []


@pytest.mark.parametrize("after", ["x", "a b", "a b c d"])
def test_a_cursor_that_no_answer_gave_is_refused(desk: Desk, after: str) -> None:
    assert "after" in desk.refused("supervisor", span(after=after))


def test_what_is_disposed_of_or_outside_the_span_is_not_listed(desk: Desk) -> None:
    desk.office.announce(desk.office.notice())
    assert desk.ask("supervisor", span(hours=2)) == ([], None)
    assert desk.ask("supervisor", span(hours=3))[0]


def test_whoever_said_something_that_still_closes_is_not_asked_to_replace_it(desk: Desk) -> None:
    """They called it deadly, naming the chief, who took that back: it still closes, and counts as nobody's."""
    desk.office.announce(desk.office.notice())
    desk.office.classify("deadly", involved=["officer", "chief"])
    [word], _ = desk.ask("affairs", {"what": "words", "incident_id": INCIDENT})
    desk.office.clock.turn(minutes=1)
    withdrawal = st.Withdrawal(attestation_sha256=word["digest"], reason="no", at=desk.office.clock.now())
    assert desk.office.attest(withdrawal, "chief")[0]
    [row], _ = desk.ask("supervisor", span())
    assert row["unclassified"] == [INCIDENT] and "has classified it before" in row["conflict"]
    [row], _ = desk.ask("sergeant", span())
    assert row["unclassified"] == [INCIDENT] and "conflict" not in row
