"""Dispatch documents and a running dock: tags, revisions, late and unusable documents, from broker and folder."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.demo.stage import SIM
from daemon.cli.demo.world import AGENCY
from daemon.model.times import format_instant
from daemon.seal import envelope as envelopes
from daemon.seal.keys import load_sign_public
from tests.kit.precinct import OFFICER, Precinct, running, wait_until

pytestmark = pytest.mark.xdist_group("dispatch")
START = datetime.now(UTC) - timedelta(hours=4)


@pytest.fixture(scope="module")
def precinct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Precinct]:
    root = tmp_path_factory.mktemp("dispatch") / "world"
    (root / "cad").mkdir(parents=True)
    with running(root, '\n[activation]\nfolder = "../cad"\n') as precinct:
        yield precinct


def incident(incident_id: str, after: int, statuses: dict[str, int], officers: tuple[str, ...] = (OFFICER,)) -> Any:
    """An incident as the simulator's dispatch centre takes it; times in seconds after START + `after` minutes."""
    begin = START + timedelta(minutes=after)
    history = [[status, format_instant(begin + timedelta(seconds=at))] for status, at in statuses.items()]
    unit = {"unit_id": "711", "officers": list(officers), "statuses": history}
    return {"incident_id": incident_id, "incident_type": "burglary", "priority": 2, "units": [unit]}


def send(precinct: Precinct, *incidents: Any, to: str | None = None) -> None:
    path = precinct.world.root / "incidents.json"
    path.write_text(json.dumps(incidents))
    command = [*SIM, "dispatch", "--from", str(path), "--to", to or precinct.world.broker, "--agency", AGENCY]
    subprocess.run(command, check=True, capture_output=True)


def record(precinct: Precinct, bay: str, after: int, seconds: int = 600, pre_event: int = 0, *more: str) -> str:
    """Docks a camera with one clip that began `after` minutes past START; returns the clip's id."""
    start = format_instant(START + timedelta(minutes=after))
    spec = f"started_at={start},seconds={seconds},pre_event={pre_event},trigger_on=dispatch,bytes=3000"
    (clip,) = precinct.dock_camera(bay, "--clip", spec, "--timeout", "30", *more)["clips"]
    return str(clip["clip_id"])


def tagged(precinct: Precinct, clip_id: str, incident_id: str) -> dict[str, Any]:
    """The clip's notice once it names the incident."""
    return precinct.notice(
        clip_id, lambda n: incident_id in {a["incident_id"] for a in n["activation"].get("assignments", [])}
    )


def test_a_clip_is_tagged_at_docking_with_a_call_already_known(precinct: Precinct) -> None:
    send(precinct, incident("D-1", 0, {"Dispatched": 0, "OnScene": 120, "Cleared": 600}))
    clip_id = record(precinct, "bay-1", 0)
    notice = tagged(precinct, clip_id, "D-1")
    (assignment,) = notice["activation"]["assignments"]
    assert (notice["activation"]["verdict"], assignment["verdict"], assignment["matched_by"]) == (
        "on_time",
        "on_time",
        "officer",
    )
    assert 595 < assignment["covered_seconds"] <= 600  # the docking takes a moment, which counts as skew
    assert notice["lock"]["state"] == "locked"


def test_a_late_document_makes_a_new_revision_and_the_old_one_stays(precinct: Precinct) -> None:
    clip_id = record(precinct, "bay-2", 30)
    assert precinct.notice(clip_id)["activation"]["verdict"] == "undispatched"
    send(precinct, incident("D-2", 28, {"Dispatched": 0, "Cleared": 720}))
    notice = tagged(precinct, clip_id, "D-2")
    assert notice["activation"]["verdict"] == "late"
    assert notice["activation"]["revision"] >= 2
    tags = precinct.world.vault / "clips" / clip_id / "tags"
    key = load_sign_public(precinct.world.key("central-1", "sign", public=True))
    for revision in range(1, notice["activation"]["revision"] + 1):
        envelope = envelopes.parse((tags / f"{revision}.json").read_bytes(), what="tag")
        envelope.check(key)
    entries = precinct.custody(action="tagged", clip_id=clip_id)
    assert [entry["detail"]["revision"] for entry in entries] == list(range(1, notice["activation"]["revision"] + 1))


def test_the_same_document_again_changes_nothing(precinct: Precinct) -> None:
    send(precinct, incident("D-3", 200, {"Dispatched": 0}, ("99999",)))  # dispatch has spoken past every clip's end
    precinct.notice(record(precinct, "bay-3", 60))
    before = len(precinct.custody(action="tagged"))
    send(precinct, incident("D-1", 0, {"Dispatched": 0, "OnScene": 120, "Cleared": 600}))
    clip_id = record(precinct, "bay-2", 75)
    precinct.notice(clip_id)
    own = len(precinct.custody(action="tagged", clip_id=clip_id))
    assert len(precinct.custody(action="tagged")) == before + own


def test_a_document_from_the_folder_counts_as_well(precinct: Precinct) -> None:
    clip_id = record(precinct, "bay-4", 90)
    send(precinct, incident("D-4", 90, {"Dispatched": 0, "Cleared": 600}), to=str(precinct.world.root / "cad"))
    assert tagged(precinct, clip_id, "D-4")["activation"]["verdict"] == "on_time"


def test_what_cannot_be_used_is_set_aside_and_the_next_is_handled(precinct: Precinct) -> None:
    cad = precinct.world.root / "cad"
    for number, text in enumerate(("{", "[]", '{"incidentComponent": 5}', '{"incidentComponent": [{}]}')):
        (cad / f"bad-{number}.json").write_text(text)
    clip_id = record(precinct, "bay-5", 120)
    send(precinct, incident("D-5", 120, {"Dispatched": 0, "Cleared": 600}), to=str(cad))
    tagged(precinct, clip_id, "D-5")
    log = precinct.world.logs / "dock.log"
    wait_until(lambda: all(f"bad-{n}.json" in log.read_text() for n in range(4)), "the set-aside documents in the log")


def test_skew_is_applied_and_shown(precinct: Precinct) -> None:
    """A camera two minutes fast: what it calls 150:00 was 148:00; the call ran to 149:00."""
    send(precinct, incident("D-6", 145, {"Dispatched": 0, "Cleared": 240}))
    clip_id = record(precinct, "bay-6", 148, 60, 0, "--skew", "120")
    notice = tagged(precinct, clip_id, "D-6")
    assert 115 < notice["clock_skew_seconds"] < 125
    (assignment,) = notice["activation"]["assignments"]
    assert 55 < assignment["covered_seconds"] <= 60


def test_skew_beyond_the_limit_is_shown_and_not_applied(precinct: Precinct) -> None:
    send(precinct, incident("D-7", 160, {"Dispatched": 0, "Cleared": 240}))
    clip_id = record(precinct, "bay-7", 160, 240, 0, "--skew", "4000")
    notice = precinct.notice(clip_id)
    assert notice["clock_skew_seconds"] > 3900
    assert notice["activation"]["verdict"] == "undispatched"


def test_a_dock_that_was_down_misses_no_document(precinct: Precinct, tmp_path: Path) -> None:
    """Its session is persistent: what dispatch said meanwhile waits at the broker."""
    clip_id = record(precinct, "bay-8", 200)
    precinct.stage.stop("dock")
    send(precinct, incident("D-8", 200, {"Dispatched": 0, "Cleared": 600}))
    precinct.stage.start_dock()
    assert tagged(precinct, clip_id, "D-8")["activation"]["verdict"] == "on_time"


def test_the_report_of_the_docks_own_store(precinct: Precinct) -> None:
    """The absent ones first, and what cannot be used named."""
    send(precinct, incident("D-9", 20, {"Dispatched": 0, "Cleared": 60}))
    send(precinct, incident("D-10", 220, {"Dispatched": 0, "Cleared": 600}))
    (precinct.world.root / "cad" / "worse.json").write_text('{"worse')
    record(precinct, "bay-9", 220)
    config = str(precinct.world.config / "dock.toml")

    def report() -> Any:
        return precinct.stage.bwc("dispatch", "report", "--config", config, "--from", format_instant(START)).document

    def complete() -> bool:
        document = report()
        known = {a["incident_id"] for a in document["assignments"]}
        return {"D-9", "D-10"} <= known and "worse.json" in str(document["set_aside"])

    wait_until(complete, "both incidents and the document set aside")
    document = report()
    verdicts = {a["incident_id"]: a["verdict"] for a in document["assignments"]}
    assert (verdicts["D-9"], verdicts["D-10"]) == ("absent", "on_time")
    assert document["assignments"][0]["verdict"] == "absent"
    assert {a["officer_id"] for a in document["assignments"] if a["incident_id"] == "D-9"} == {OFFICER}
