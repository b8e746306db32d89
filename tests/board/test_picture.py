"""What the board makes of what it hears: newest wins, nonsense is left out, what is no longer retained goes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from daemon.board.picture import PAGE, QUIET, Picture
from daemon.link.mqtt import Received
from daemon.model.times import format_instant
from daemon.model.topics import Topics
from tests.kit.policy_fixture import TurnedClock

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOPICS = Topics("portland")
DIGEST = "a" * 64


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock(NOW)


@pytest.fixture
def picture(clock: TurnedClock) -> Iterator[Picture]:
    picture = Picture(TOPICS, clock)
    picture.connected()
    yield picture
    picture.close()


def clip_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def notice(number: int, sequence: int = 1, state: str = "locked", **fields: Any) -> dict[str, Any]:
    at = format_instant(NOW - timedelta(hours=number))
    capture = {
        "clip_id": clip_id(number),
        "camera_serial": "cam-1",
        "officer_id": "51234",
        "size_bytes": 1,
        "media_type": "video/mp4",
        "sha256": DIGEST,
        "pre_event_seconds": 0,
        "markers": [],
        **dict.fromkeys(("started_at", "triggered_at", "stopped_at"), at),
        "trigger_on": "button",
        "trigger_off": "button",
    }
    assignment = {
        "incident_id": "26-1",
        "incident_type": "shots",
        "unit_id": "711",
        "dispatched_at": at,
        "verdict": "late",
        "triggered_after_seconds": 90.0,
        "covered_seconds": 1,
        "uncovered_seconds": 90,
        "matched_by": "officer",
    }
    return {
        "schema": "bwc.notice/1",
        "clip_id": clip_id(number),
        "dock_id": "central-1",
        "sequence": sequence,
        "previous": 0,
        "published_at": at,
        "lock": {"state": state, "reason": "no release order"},
        "integrity": "verified",
        "clip_sha256": DIGEST,
        "sealed_sha256": DIGEST,
        "sealed_bytes": 1,
        "clock_skew_seconds": 0,
        "capture": capture,
        "activation": {"verdict": "late", "revision": 1, "assignments": [assignment]},
        **fields,
    }


def hear(picture: Picture, topic: str, document: Any, *, retained: bool = False) -> None:
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    picture.receive([Received("", topic, payload, retained, 1, 1)], NOW)


def say(picture: Picture, document: dict[str, Any]) -> None:
    hear(picture, TOPICS.clip("central-1", document["clip_id"]), document)


def lock(picture: Picture, number: int) -> str:
    known = picture.clip("central-1", clip_id(number))
    return known.notice["lock"]["state"] if known else "unknown"


def test_an_older_notice_never_overwrites_a_newer(picture: Picture) -> None:
    say(picture, notice(1, 5, "released"))
    say(picture, notice(1, 4, "locked"))
    assert lock(picture, 1) == "released"
    say(picture, notice(1, 6, "locked"))
    assert lock(picture, 1) == "locked"


def test_a_notice_taken_back_means_something_only_after_a_disposal(picture: Picture) -> None:
    say(picture, notice(1))
    hear(picture, TOPICS.clip("central-1", clip_id(1)), b"")
    assert lock(picture, 1) == "locked"
    say(picture, notice(1, 2, "disposed", capture=None, activation=None))
    hear(picture, TOPICS.clip("central-1", clip_id(1)), b"")
    assert lock(picture, 1) == "unknown"


def test_what_the_broker_no_longer_retains_goes_once_it_is_quiet(picture: Picture, clock: TurnedClock) -> None:
    def catching_up() -> bool:
        return picture.link.catching_up

    picture.connected()
    for number in (1, 2):
        say(picture, notice(number))
    for bay in ("bay-1", "bay-2"):
        hear(picture, TOPICS.bay("central-1", bay), {"schema": "bwc.bay/1", "bay": bay, "state": "done"})
    picture.disconnected("gone")
    assert picture.link.lost == "gone" and lock(picture, 1) == "locked"
    picture.connected()
    say(picture, notice(2))
    hear(picture, TOPICS.bay("central-1", "bay-2"), {"schema": "bwc.bay/1", "bay": "bay-2", "state": "done"})
    picture.tick()
    assert catching_up() and lock(picture, 1) == "locked"
    clock.turn(seconds=QUIET)
    picture.tick()
    assert not catching_up()
    assert (lock(picture, 1), lock(picture, 2)) == ("unknown", "locked")
    assert [seen.bay.bay for seen in picture.bays(None)] == ["bay-2"]
    assert [one.dispatched_at for one in picture.assignment_verdicts(NOW - timedelta(days=1))] == [
        format_instant(NOW - timedelta(hours=2))
    ]


@pytest.mark.parametrize(
    "topic, payload",
    [
        (TOPICS.clip("central-1", clip_id(1)), b"{"),
        (TOPICS.clip("central-1", clip_id(1)), b"[" * 100_000),
        (TOPICS.clip("central-1", clip_id(2)), json.dumps(notice(1)).encode()),
        (TOPICS.clip("other", clip_id(1)), json.dumps(notice(1)).encode()),
        (TOPICS.clip("central-1", clip_id(1)), json.dumps(notice(1, capture={"officer_id": {}})).encode()),
        (TOPICS.clip("central-1", clip_id(1)), json.dumps(notice(1, activation={"assignments": 7})).encode()),
        (TOPICS.clip("central-1", clip_id(1)), json.dumps(notice(1, ingested_at="yesterday")).encode()),
        (TOPICS.bay("central-1", "bay-1"), b'{"schema":"bwc.bay/1","bay":"bay-2","state":"done"}'),
        (TOPICS.bay("central-1", "bay-1"), b'{"schema":"bwc.bay/1","bay":"bay-1","state":"dancing"}'),
        (TOPICS.status("central-1"), b'{"schema":"bwc.status/1"}'),
        (TOPICS.standing("central-1", clip_id(1)), b"null"),
        ("bwc/v1/portland/dock", b"x"),
        ("elsewhere/dock/central-1/status", b"x"),
    ],
)
def test_nonsense_is_left_out_and_the_rest_goes_on(picture: Picture, topic: str, payload: bytes) -> None:
    good = Received("", TOPICS.clip("central-1", clip_id(9)), json.dumps(notice(9)).encode(), True, 1, 1)
    picture.receive([Received("", topic, payload, True, 1, 1), good], NOW)
    assert (lock(picture, 1), lock(picture, 9)) == ("unknown", "locked")
    assert picture.docks() == [] and picture.bays(None) == []


def test_bays_cannot_grow_without_end(picture: Picture) -> None:
    for number in range(1010):
        name = f"bay-{number}"
        hear(picture, TOPICS.bay("central-1", name), {"schema": "bwc.bay/1", "bay": name, "state": "empty"})
    assert len(picture.bays(None)) == 1000


def test_a_page_of_clips_newest_first_and_found_by_officer_incident_or_clip(picture: Picture) -> None:
    for number in range(PAGE + 1):
        say(picture, notice(number))
    say(picture, notice(99, state="released"))
    first, more = picture.locked_clips("", 0)
    assert [clip.notice["clip_id"] for clip in first] == [clip_id(number) for number in range(PAGE)] and more
    second, more = picture.locked_clips("", 1)
    assert [clip.notice["clip_id"] for clip in second] == [clip_id(PAGE)] and not more
    assert len(picture.locked_clips("26-1", 0)[0]) == len(picture.locked_clips("51234", 0)[0]) == PAGE
    assert [clip.notice["clip_id"] for clip in picture.locked_clips(clip_id(7), 0)[0]] == [clip_id(7)]
    assert picture.locked_clips("' OR 1=1 --", 0) == ([], False)


def test_one_line_for_a_statement_that_several_clips_wait_for(picture: Picture) -> None:
    due = format_instant(NOW + timedelta(hours=3))
    need = {"kind": "statement", "from": "supervisor", "form": "audio", "officer_id": "51234", "by": due}
    for number in (1, 2):
        standing = {"schema": "bwc.standing/1", "clip_id": clip_id(number), "incidents": ["26-1"], "force": "serious"}
        topic = TOPICS.standing("central-1", clip_id(number))
        hear(picture, topic, {**standing, "needs": [need], "due": due, "overdue": False})
    (owed,) = picture.owed_statements()
    assert (owed.clips, owed.incidents, owed.due) == (2, ("26-1",), NOW + timedelta(hours=3))


def test_an_assignment_counts_once_however_many_clips_tell_of_it(picture: Picture) -> None:
    say(picture, notice(1))
    again = notice(2, 2)
    again["activation"] = notice(1)["activation"] | {"verdict": "partial"}
    again["activation"]["assignments"][0]["verdict"] = "partial"
    say(picture, again)
    (found,) = picture.assignment_verdicts(NOW - timedelta(days=1))
    assert found.verdict == "partial"
    assert picture.assignment_verdicts(NOW) == []
