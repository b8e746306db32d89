"""`bwc attest` beside a running precinct: mistakes refused before they are signed, a shift confirmed at once."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from daemon.cli.demo import world as cast
from daemon.cli.demo.stage import SIM
from daemon.cli.demo.world import AGENCY, DOCK, CastMember
from daemon.link.session import Session
from daemon.model.times import format_instant
from tests.kit.patience import PATIENCE
from tests.kit.precinct import BWC_PLAIN, Precinct, running

pytestmark = [pytest.mark.xdist_group("attest"), pytest.mark.timeout(240)]

CAMERAS = {**cast.CAMERAS, cast.SUPERVISOR.person_id: "cam-0003"}
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=4)
ONE, TWO, HERS = "26-310001", "26-310002", "26-310003"
"""The incidents: of two officers, of one, and one in which the supervisor herself wore a camera."""


@dataclass
class Night:
    """A shift that has docked, and who did what in it."""

    precinct: Precinct
    clips: dict[str, str]

    def attest(self, who: CastMember, *words: str, answers: str = "") -> subprocess.CompletedProcess[str]:
        """Runs `bwc attest` as somebody at a terminal would."""
        world = self.precinct.world
        trust = ("--trust", str(world.config / "trust.json"), "--root", str(world.key("root", "sign", public=True)))
        command = [*BWC_PLAIN, "attest", *words, *world.as_person(who), *trust, "--timezone", "America/Los_Angeles"]
        return subprocess.run(command, capture_output=True, text=True, input=answers, timeout=120)

    def standing(self, clip: str, force: str) -> None:
        """Returns once the policy service says so of it."""
        with Session(self.precinct.broker, (self.precinct.topics.standing(DOCK, self.clips[clip]),)) as session:
            assert session.wait(lambda m: json.loads(m.payload)["force"] == force, PATIENCE), (clip, force)

    def said(self) -> set[str]:
        """The topics of all that was attested."""
        with Session(self.precinct.broker, (self.precinct.topics.attestation("+", "+", "+"),)) as session:
            return {message.topic for message in session.retained()}


def _incident(incident_id: str, unit: str, officers: tuple[str, ...], minutes: int) -> dict[str, Any]:
    begin = START + timedelta(minutes=minutes)
    history = [["Dispatched", format_instant(begin)], ["Cleared", format_instant(begin + timedelta(minutes=20))]]
    units = [{"unit_id": unit, "officers": list(officers), "statuses": history}]
    return {"incident_id": incident_id, "incident_type": "burglary", "priority": 2, "units": units}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    with running(tmp_path_factory.mktemp("night") / "world", cameras=CAMERAS) as precinct:
        lee, park, reyes = (one.person_id for one in (cast.OFFICER, cast.ROUTINE_OFFICER, cast.SUPERVISOR))
        incidents = [
            _incident(ONE, "711", (lee, park), 0),
            _incident(TWO, "711", (lee,), 60),
            _incident(HERS, "701", (reyes,), 120),
        ]
        path = precinct.world.root / "incidents.json"
        path.write_text(json.dumps(incidents))
        sent = [*SIM, "dispatch", "--from", str(path), "--to", precinct.world.broker, "--agency", AGENCY]
        subprocess.run(sent, check=True, capture_output=True)
        clips: dict[str, str] = {}
        for bay, officer, minutes in (("1", lee, (1, 61)), ("2", park, (2,)), ("3", reyes, (121,))):
            specs = [_clip(minute) for minute in minutes]
            taken = precinct.dock_camera(
                f"bay-{bay}", *specs_of(specs), "--timeout", "60", serial=CAMERAS[officer], officer=officer
            )
            for minute, clip in zip(minutes, taken["clips"], strict=True):
                clips[f"{officer} {minute}"] = str(clip["clip_id"])
        for clip_id in clips.values():
            precinct.notice(clip_id, lambda n: bool(n["activation"]["assignments"]))
        made = Night(precinct, clips)
        for name in clips:
            made.standing(name, "unclassified")
        yield made


def _clip(minute: int) -> str:
    start = format_instant(START + timedelta(minutes=minute))
    return f"started_at={start},seconds=300,pre_event=30,trigger_on=button,bytes=3000"


def specs_of(specs: list[str]) -> list[str]:
    return [word for spec in specs for word in ("--clip", spec)]


def when(minutes: int) -> str:
    """So many minutes after the start, as the clocks of Portland show it."""
    at = (START + timedelta(minutes=minutes)).astimezone(ZoneInfo("America/Los_Angeles"))
    return at.isoformat(sep=" ", timespec="seconds")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (("--incident-id", "26-310010", "--occurred-at", when(3)), ONE),
        (("--incident-id", ONE, "--occurred-at", when(3), "--witnesses", "52354"), "52345 (Officer Park)"),
        (("--incident-id", ONE, "--occurred-at", when(3), "--witnesses", "Park"), "52345 (Officer Park)"),
        (("--incident-id", ONE, "--occurred-at", when(-5)), "began"),
        (("--incident-id", ONE, "--occurred-at", "2026-03-08 02:30"), "02:30:00-08:00"),
        (("--incident-id", ONE, "--occurred-at", "2026-13-28T00:47:05Z"), "2026-13-28T00:47:05Z"),
    ],
)
def test_a_typing_mistake_is_refused_and_nothing_signed(night: Night, typed: tuple[str, ...], offered: str) -> None:
    before = night.said()
    ran = night.attest(cast.SUPERVISOR, "classification", *typed, "--force", "none")
    assert ran.returncode == 2, ran.stderr
    assert offered in ran.stderr and ran.stdout == ""
    assert night.said() == before


def test_what_is_signed_is_said_with_counts_and_its_digest_printed(night: Night) -> None:
    about = ("--incident-id", ONE, "--officer-id", cast.OFFICER.person_id)
    ran = night.attest(cast.SUPERVISOR, "statement", *about, "--to", "supervisor", "--form", "unrecorded")
    assert ran.returncode == 0, ran.stderr
    assert f"2 clips of 2 officers in incident {ONE}" in ran.stderr
    assert "51234 (Officer Lee)" in ran.stderr and "41001 (Sergeant Reyes)" in ran.stderr
    [line] = ran.stdout.splitlines()
    [digest] = [topic.rpartition("/")[2] for topic in night.said() if "/statement/" in topic]
    assert line == f"accepted: statement {digest}"


def test_anyway_signs_it_and_says_what_it_overrides(night: Night) -> None:
    about = ("--incident-id", "26-999999", "--state", "placed", "--reason", "Civil Suit 23-1187", "--anyway", "--json")
    ran = night.attest(cast.CHIEF, "hold", *about)
    assert ran.returncode == 0, ran.stderr
    assert "26-999999" in ran.stderr and "anyway" in ran.stderr and "Civil Suit" in ran.stderr
    assert len(json.loads(ran.stdout)["accepted"]) == 1


def test_a_shift_is_proposed_confirmed_by_incident_and_signed(night: Night) -> None:
    span = f"{format_instant(START)}/{when(180)}"
    refused = night.attest(cast.SUPERVISOR, "classification", "--shift", span, "--json")
    assert refused.returncode == 2 and "--yes" in refused.stderr
    before = night.said()
    ran = night.attest(cast.SUPERVISOR, "classification", "--shift", span, answers="y\nn\n")
    assert ran.returncode == 0, ran.stderr
    assert f"incident {ONE}: 2 clips of 2 officers" in ran.stderr and "by the button" in ran.stderr
    assert f"incident {HERS} is left for another supervisor" in ran.stdout
    assert "1 classification signed" in ran.stdout
    assert len(night.said() - before) == 1
    night.standing(f"{cast.OFFICER.person_id} 1", "none")
    night.standing(f"{cast.ROUTINE_OFFICER.person_id} 2", "none")
    night.standing(f"{cast.OFFICER.person_id} 61", "unclassified")

    again = night.attest(cast.SUPERVISOR, "classification", "--shift", span, "--yes", "--json")
    assert again.returncode == 0, again.stderr
    document = json.loads(again.stdout)
    assert [group["incident_id"] for group in document["groups"]] == [TWO], "what is classified is not proposed again"
    assert document["accepted"] == [document["groups"][0]["digest"]]
    assert [left["clip_ids"] for left in document["left"]] == [[night.clips[f"{cast.SUPERVISOR.person_id} 121"]]]
    night.standing(f"{cast.OFFICER.person_id} 61", "none")


def test_what_was_interrupted_signed_nothing(night: Night) -> None:
    before = night.said()
    span = f"{format_instant(START)}/{when(180)}"
    ran = night.attest(cast.INVESTIGATOR, "classification", "--shift", span)
    assert ran.returncode == 1 and "Traceback" not in ran.stderr
    assert night.said() == before


def test_another_classifies_what_was_left(night: Night) -> None:
    ran = night.attest(cast.INVESTIGATOR, "classification", "--shift", f"{format_instant(START)}/{when(180)}", "--yes")
    assert ran.returncode == 0, ran.stderr
    night.standing(f"{cast.SUPERVISOR.person_id} 121", "none")


def test_without_a_trust_file_it_is_said_that_nobody_was_checked(night: Night, tmp_path: Path) -> None:
    world = night.precinct.world
    file = tmp_path / "reports.toml"
    file.write_text(f'[[report]]\nincident_id = "{ONE}"\nofficer_id = "99999"\nfiled_at = "{when(30)}"\n')
    command = [*BWC_PLAIN, "attest", "report", "--from", str(file), *world.as_person(cast.SUPERVISOR), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert "could not check whether the persons are enrolled" in ran.stderr
    assert len(json.loads(ran.stdout)["accepted"]) == 1
