"""`bwc dispatch report`: what it reads, what it prints, and a citywide day against the plan it was made from."""

from __future__ import annotations

import base64
import csv
import io
import itertools
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from daemon.cli.dispatch.command import dispatch
from daemon.cli.dispatch.files import capture
from daemon.cli.dispatch.findings import Findings
from daemon.cli.dispatch.output import print_text
from daemon.cli.shared.typed_times import typed_day
from daemon.core.dispatch.activation import Assignment, Clip
from daemon.core.dispatch.compliance import review, tally
from daemon.core.dispatch.excusals import Excusals, Excused
from daemon.core.dispatch.merges import Joined
from daemon.model.errors import ConfigurationError
from daemon.model.zones import zone_named
from device_sim.dispatch import center
from device_sim.shifts import plan

PORTLAND = zone_named("America/Los_Angeles")
CLIP = "4baba24a-fbc3-4768-9484-f57c3aab82e4"
LATER = "2f47ffc0-39fa-45b7-8a58-457c5aab5332"


def payload(clip_id: str, officer: str, started: str, triggered: str, stopped: str) -> dict[str, Any]:
    return {
        "clip_id": clip_id, "camera_serial": "cam-1", "officer_id": officer, "size_bytes": 1, "media_type": "video/mp4",
        "sha256": "ab" * 32, "started_at": f"2023-11-29T{started}Z", "triggered_at": f"2023-11-29T{triggered}Z",
        "stopped_at": f"2023-11-29T{stopped}Z", "pre_event_seconds": 30, "trigger_on": "button",
        "trigger_off": "button", "markers": [], "note": "???>>>?>?>",
    }  # fmt: skip


def envelope(body: dict[str, Any], kind: str = "capture") -> dict[str, Any]:
    encoded = base64.urlsafe_b64encode(json.dumps(body).encode()).decode()
    signature = {"keyid": "00" * 32, "sig": "nobody checks"}
    return {"payload": encoded, "payloadType": f"application/vnd.bwc.{kind}.v1+json", "signatures": [signature]}


def unit(unit_id: str, officer: str, status: str, time: str) -> dict[str, Any]:
    return {
        "$id": f"{unit_id}@police.example",
        "lastUpdateTimeStamp": f"2023-11-29T{time}-08:00",
        "secondaryUnitStatusRegistryText": [status],
        "agentReference": [{"$ref": f"{officer}@police.example"}],
    }


def eido(incident_id: str, *units: dict[str, Any], kind: str = "Theft") -> dict[str, Any]:
    return {
        "lastUpdateTimeStamp": "2023-11-29T22:00:00Z",
        "incidentComponent": {"internalIncidentId": incident_id, "incidentTypeCommonRegistryText": kind},
        "emergencyResourceComponent": list(units),
    }


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """711 is on I1 with 51234, who recorded it; 712 with 51235, who did not; and files that cannot be used."""
    cad, captures = tmp_path / "cad", tmp_path / "captures" / "bay-1"
    cad.mkdir()
    captures.mkdir(parents=True)
    files: dict[Path, Any] = {
        cad / "1.eido.json": eido("I1", unit("711", "51234", "Dispatched", "13:00:00"), kind="=1+1\x1b"),
        cad / "2.json": eido("I1", unit("711", "51234", "Cleared", "14:00:00"), kind="=1+1\x1b"),
        cad / "3.json": eido("I2", unit("712", "51235", "Dispatched", "13:00:00")),
        cad / "4.json": eido("I2", unit("712", "51235", "Cleared", "13:30:00")),
        cad / "naive.json": eido("I3") | {"lastUpdateTimeStamp": "2023-11-29T22:00:00"},
        captures / "a.capture.json": envelope(payload(CLIP, "51234", "20:59:35.000", "21:00:05.000", "22:00:00.000")),
        captures / "b.json": payload(LATER, "51235", "21:45:00.000", "21:45:30.000", "21:50:00.000"),
        captures / "seal.json": envelope(payload("y", "51235", "21:45:00", "21:45:30", "21:50:00"), "seal"),
        captures / "again.json": payload(CLIP, "51235", "20:59:35.000", "21:00:05.000", "22:00:00.000"),
        captures / "backwards.json": payload("x", "51235", "21:45:00.000", "21:44:30.000", "21:50:00.000"),
    }
    for path, value in files.items():
        path.write_text(json.dumps(value))
    (cad / "broken.json").write_text("{")
    (cad / "twice.json").write_text('{"a": 1, "a": 2}')
    (cad / "large.json").write_bytes(b" " * (1 << 20) + b"{}")
    (cad / "notes.txt").write_text("not a document")
    (cad / ".5.json").write_text("still being written")
    (cad / "folder.json").mkdir()
    os.mkfifo(cad / "pipe.json")
    return tmp_path


def run(day: Path, *more: str) -> str:
    where = ["--eido", str(day / "cad"), "--captures", str(day / "captures")]
    where += [] if "--timezone" in more else ["--timezone", "UTC"]
    result = CliRunner().invoke(dispatch, ["report", *where, *more], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_one_json_document(day: Path) -> None:
    document = json.loads(run(day, "--json"))
    assert document.keys() == {"clips", "assignments", "officers", "unknown_crew", "merges", "set_aside"}
    row = {
        "incident_id": "I1",
        "verdict": "on_time",
        "triggered_after_seconds": 5.0,
        "covered_seconds": 3600.0,
        "uncovered_seconds": 0.0,
    }
    assert document["clips"] == {
        CLIP: {"verdict": "on_time", "perhaps": [], "assignments": [row]},
        LATER: {"verdict": "undispatched", "perhaps": [], "assignments": []},
    }
    called = {"matched_by": "officer", "dispatched_at": "2023-11-29T21:00:00.000Z"}
    assert document["assignments"] == [
        {
            "incident_id": "I2", "officer_id": "51235", "unit_id": "712", "cleared_at": "2023-11-29T21:30:00.000Z",
            "verdict": "absent", "excusal": None, "clips": [], **called,
        },
        {
            "incident_id": "I1", "officer_id": "51234", "unit_id": "711", "cleared_at": "2023-11-29T22:00:00.000Z",
            "verdict": "on_time", "excusal": None, "clips": [CLIP], **called,
        },
    ]  # fmt: skip
    assert document["officers"]["51234"] == {
        "assignments": 1, "absent": 0, "late": 0, "partial": 0, "pending": 0, "on_time": 1, "excused": 0,
        "excusals": 0, "rate": 1.0, "median_delay_seconds": 5.0, "p95_delay_seconds": 5.0,
    }  # fmt: skip
    assert document["officers"]["51235"]["rate"] == 0.0
    assert document["officers"]["51235"]["median_delay_seconds"] is None


def test_what_cannot_be_used_is_set_aside_with_a_reason(day: Path) -> None:
    set_aside = {Path(item["file"]).name: item["reason"] for item in json.loads(run(day, "--json"))["set_aside"]}
    names = {"naive.json", "broken.json", "twice.json", "large.json", "seal.json", "backwards.json"}
    # whichever of two captures of one clip is found first counts
    assert set_aside.keys() - {CLIP} == names
    assert CLIP in set_aside
    assert set_aside["naive.json"].startswith("lastUpdateTimeStamp: ")
    assert all(set_aside.values())


def test_an_envelope_may_be_in_url_safe_base64() -> None:
    body = payload(CLIP, "51234", "20:59:35.000", "21:00:05.000", "22:00:00.000")
    signed = envelope(body)
    assert {"-", "_"} & set(signed["payload"])
    assert capture(signed) == capture(body)


def test_a_file_will_do_for_a_folder(day: Path) -> None:
    arguments = ["--eido", str(day / "cad" / "1.eido.json"), "--captures", str(day / "captures" / "bay-1" / "b.json")]
    result = CliRunner().invoke(dispatch, ["report", *arguments, "--json"], catch_exceptions=False)
    [found] = json.loads(result.output)["assignments"]
    assert (found["incident_id"], found["verdict"]) == ("I1", "pending")


def test_csv_is_a_line_for_each_assignment_and_no_formula(day: Path) -> None:
    absent, on_time = csv.DictReader(io.StringIO(run(day, "--csv")))
    assert (absent["incident_id"], absent["verdict"], absent["triggered_after_seconds"]) == ("I2", "absent", "")
    assert (on_time["officer_id"], on_time["clips"], on_time["matched_by"]) == ("51234", CLIP, "officer")
    assert on_time["dispatched_at"] == "2023-11-29T21:00:00.000Z"
    assert on_time["incident_type"].startswith("'=")


def test_text_names_the_absent_ones_first_and_does_not_steer_the_terminal(day: Path) -> None:
    zone, _, _, absent, on_time, *lines = run(day).splitlines()
    assert zone == "Times are those of UTC."
    assert absent.startswith("absent") and "I2" in absent
    assert on_time.startswith("on time") and "2023-11-29 21:00:00+00:00" in on_time
    assert "\x1b" not in absent + on_time
    assert "\x1b" not in "\n".join(lines)
    assert "2 assignments: 1 absent, 0 late, 0 partial, 0 pending, 1 on time, 0 excused; on time: 50.0%" in lines
    assert "2 clips, 1 of them on no call; 7 documents or parts of them set aside" in lines


def test_in_a_terminal_there_are_tables(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    begun = datetime.fromisoformat("2023-11-29T21:00:00Z")
    called = [Assignment("I1", "[red]Theft", "711", "A", begun, None, "unit")]
    compliance = review([], called, {"A": datetime.fromisoformat("2023-11-29T23:00:00Z")})
    print_text(Findings(compliance, [Joined("I0", "I1", "internal")], []), PORTLAND, terminal=True)
    shown = capsys.readouterr().out
    assert "absent" in shown
    assert "┃" in shown
    assert "[red]Theft" in shown
    assert "merged: I1 replaced I0 (told by the agency's own id)" in shown


def test_grace_and_period(day: Path) -> None:
    assert json.loads(run(day, "--grace", "4", "--json"))["clips"][CLIP]["verdict"] == "late"
    assert json.loads(run(day, "--grace", "5", "--json"))["clips"][CLIP]["verdict"] == "on_time"
    tomorrow = json.loads(run(day, "--from", "2023-11-30", "--json"))
    assert (tomorrow["clips"], tomorrow["assignments"], tomorrow["officers"]) == ({}, [], {})
    assert len(json.loads(run(day, "--from", "2023-11-29T21:00:00Z", "--json"))["assignments"]) == 2
    before = json.loads(run(day, "--to", "2023-11-29T13:30:00-08:00", "--json"))
    assert list(before["clips"]) == [CLIP]
    assert len(before["assignments"]) == 2
    assert not json.loads(run(day, "--to", "2023-11-29T21:00:00Z", "--json"))["assignments"]


@pytest.mark.parametrize(
    "arguments",
    [["--from", "yesterday"], ["--to", "2023-13-29"], ["--grace", "-1"], ["--json", "--csv"]],
)
def test_arguments_that_cannot_be_used(day: Path, arguments: list[str]) -> None:
    with pytest.raises(click.UsageError):
        dispatch.main(["report", "--eido", str(day), "--captures", str(day), *arguments], standalone_mode=False)


def test_a_day_is_the_agencys(day: Path) -> None:
    """Both calls began at 13:00 in Portland, which is 21:00 in London and the next morning in Tokyo."""
    for zone, day_one, count in (
        ("America/Los_Angeles", "2023-11-29", 2),
        ("America/Los_Angeles", "2023-11-30", 0),
        ("Asia/Tokyo", "2023-11-29", 0),
        ("Asia/Tokyo", "2023-11-30", 2),
    ):
        following = "2023-11-30" if day_one == "2023-11-29" else "2023-12-01"
        more = ("--from", day_one, "--to", following, "--timezone", zone, "--json")
        assert len(json.loads(run(day, *more))["assignments"]) == count, (zone, day_one)
    told = run(day, "--timezone", "America/Los_Angeles")
    assert "Times are those of America/Los_Angeles." in told and "2023-11-29 13:00:00-08:00" in told
    assert (
        len(
            json.loads(run(day, "--from", "2023-11-29 13:00", "--timezone", "America/Los_Angeles", "--json"))[
                "assignments"
            ]
        )
        == 2
    )


@pytest.mark.parametrize(
    ("date", "following", "hours"), [("2023-11-05", "2023-11-06", 25), ("2023-03-12", "2023-03-13", 23)]
)
def test_a_day_on_which_clocks_change_has_its_own_length(date: str, following: str, hours: int) -> None:
    begin, end = typed_day(date, PORTLAND), typed_day(following, PORTLAND)
    assert end - begin == timedelta(hours=hours)


def test_a_path_that_is_not_there(day: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        dispatch.main(["report", "--eido", str(day / "nowhere"), "--captures", str(day)], standalone_mode=False)


def test_excusals_are_told_beside_the_verdict_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime.fromisoformat("2023-11-29T21:00:00Z")
    calls = [Assignment(f"I{n}", "Theft", "711", f"5123{n}", at, at + timedelta(hours=1), "officer") for n in range(3)]
    excusals = Excusals({("I0", "51230"): Excused("other", "a\x1bflood", "41001")}, ("theft",))
    docked = dict.fromkeys((one.officer_id for one in calls), at + timedelta(hours=9))
    print_text(Findings(review([], calls, docked, excusals=excusals)), PORTLAND, terminal=False)
    told = capsys.readouterr().out
    assert "absent (excused by 41001: another reason, a?flood)" in told
    assert told.count("absent (excused: such calls are)") == 2
    assert "3 absent" in told and "3 of those late, partial or absent are excused" in told


def test_rates_and_delays() -> None:
    begun = datetime.fromisoformat("2023-11-29T21:00:00Z")
    clips, called = [], []
    for number in range(40):
        # 0 … 39 seconds after dispatch, each an officer of their own; officer 40's camera is not back yet
        trigger = begun.replace(second=number)
        clips.append(Clip(f"clip-{number}", str(number), begun.replace(hour=20), trigger, begun.replace(hour=22)))
    called = [Assignment("I1", "Theft", "711", str(number), begun) for number in range(41)]
    found = tally(review(clips, called, {}, grace_seconds=29).assignments)
    assert found.counts == {"absent": 0, "late": 10, "partial": 0, "pending": 1, "on_time": 30, "excused": 0}
    assert (found.assignments, found.rate) == (41, 0.75)
    assert (found.median_delay_seconds, found.p95_delay_seconds) == (19.5, 37.0)
    assert tally([]).rate is None


Duty = tuple[str, str, str, datetime, datetime | None]


def as_planned(planned: plan.Plan) -> list[Duty]:
    """Incident, unit, officer, from when to when: from the plan alone, without any document."""
    duties: list[Duty] = []
    for incident in planned.incidents:
        for called in incident.units:
            since_when: datetime | None = None
            spans: list[tuple[datetime, datetime | None]] = []
            for status, since in called.statuses:
                if status in ("Cleared", "AssignmentCancelled"):
                    assert since_when is not None
                    spans.append((since_when, since))
                    since_when = None
                elif since_when is None:
                    since_when = since
            spans += [(since_when, None)] if since_when is not None else []
            for officer, (begin, end) in itertools.product(called.officers, spans):
                relieved = dict(called.relieved).get(officer)
                until = end if relieved is None else relieved if end is None else min(end, relieved)
                if until is None or begin < until:
                    duties.append((incident.incident_id, called.unit_id, officer, begin, until))
    return duties


def test_a_citywide_day(tmp_path: Path) -> None:
    """3,100 clips and 1,500 incidents, whose documents come late, twice and merged: as the plan has it."""
    planned = plan.make(plan.PRESETS["citywide"], 3, date(2023, 8, 21))
    clips = {clip.clip_id: (camera, clip) for camera in planned.cameras for clip in camera.clips}
    for name in ("cad", "captures"):
        (tmp_path / name).mkdir()
    for sent in center.deliveries(planned.incidents, 3, "portland"):
        (tmp_path / "cad" / f"{sent.incident_id}-{sent.number}.json").write_text(json.dumps(sent.document))
    for clip_id, (camera, clip) in clips.items():
        body = clip.as_dict() | {"officer_id": camera.officer_id}
        (tmp_path / "captures" / f"{clip_id}.json").write_text(json.dumps(envelope(body)))
    command = [sys.executable, "-c", "from daemon.cli.dispatch.command import dispatch; dispatch()", "report", "--json"]
    where = ["--eido", str(tmp_path / "cad"), "--captures", str(tmp_path / "captures")]
    document = json.loads(subprocess.run([*command, *where], check=True, capture_output=True).stdout)

    assert (len(document["clips"]), len(planned.incidents), document["set_aside"]) == (3100, 1500, [])
    duties = as_planned(planned)
    never = {(i.incident_id, u.unit_id) for i in planned.incidents for u in i.units if u.crew_unknown}
    found = Counter((a["incident_id"], a["unit_id"], a["officer_id"]) for a in document["assignments"])
    expected = Counter(duty[:3] for duty in duties)
    assert {duty: n for duty, n in found.items() if duty[:2] not in never} == {
        duty: n for duty, n in expected.items() if duty[:2] not in never
    }
    assert found <= expected, "nobody is on a call who was not"
    unknown = {(one["incident_id"], one["unit_id"]) for one in document["unknown_crew"]}
    assert unknown <= never
    assert never == unknown | {duty[:2] for duty in found if duty[:2] in never}, (
        "whose they were, or that it is unknown"
    )
    assert len(unknown) > 10
    worn_by: dict[str, list[Duty]] = defaultdict(list)
    for duty in duties:
        worn_by[duty[2]].append(duty)
    # a merge ends what was left open: those incidents may be on a clip, or not
    merged = {incident.incident_id for incident in planned.incidents if incident.merges}
    for clip_id, (camera, clip) in clips.items():
        stopped = clip.started_at + timedelta(seconds=clip.seconds)
        overlapping = {
            incident_id
            for incident_id, _, _, begin, end in worn_by[camera.officer_id]
            if begin < stopped and (end is None or clip.started_at < end)
        }
        tagged = {row["incident_id"] for row in document["clips"][clip_id]["assignments"]}
        assert tagged ^ overlapping <= merged | {incident_id for incident_id, _ in never}
    verdicts = Counter(assignment["verdict"] for assignment in document["assignments"])
    # officers forget 3 % of their calls, are late for 8 %, stop early in 5 %, and record what comes of two at once
    assert verdicts["on_time"] > 1800
    assert verdicts["excused"] > 10
    assert 30 < verdicts["absent"] < 200
    assert 100 < verdicts["late"] < 400
    assert [assignment["verdict"] for assignment in document["assignments"]][: verdicts["absent"]] == (
        ["absent"] * verdicts["absent"]
    )
