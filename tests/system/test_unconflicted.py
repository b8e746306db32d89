"""Only an unconflicted word opens: attacks with the rights of ordinary people, against running processes."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.demo import world as cast
from daemon.cli.demo.stage import BWC, SIM
from daemon.cli.demo.world import AGENCY, CastMember, World
from daemon.cli.trust import build
from daemon.link.session import Session
from daemon.model.times import format_instant
from daemon.seal import envelope as envelopes
from daemon.seal.keys import keyid, load_sign_public
from daemon.seal.private_keys import load_sign_key, new_pair
from tests.kit.acts import attest, request
from tests.kit.patience import PATIENCE
from tests.kit.precinct import Precinct, running, wait_until

pytestmark = pytest.mark.xdist_group("unconflicted")
ANNEX = "annex-1"
"""A second dock, whose name sorts before the first's."""
SERGEANT = cast.SUPERVISOR
SECOND_CLERK = CastMember("20002", "Clerk Moreau", "records")
LIEUTENANT = CastMember("41002", "Lieutenant Brandt", "supervisor")
CAMERAS = cast.CAMERAS | {SERGEANT.person_id: "cam-0003"}
BEGAN = datetime.now(UTC) - timedelta(hours=4)


def _sign_trust(world: World, version: int, more: str = "") -> None:
    trust = world.config / "trust.toml"
    text = trust.read_text()
    first, rest = text.split("\n", 1)
    assert first.startswith("version = ")
    trust.write_text(f"version = {version}\n{rest}{more}")
    signed = envelopes.sign(build(trust), load_sign_key(world.key("root", "sign")))
    (world.config / "trust.json").write_bytes(signed.to_bytes())


def _enrol_more(world: World) -> None:
    """A second dock, a second clerk and a lieutenant who wears no camera."""
    trust = world.config / "trust.toml"
    for owner in (ANNEX, SECOND_CLERK.person_id, LIEUTENANT.person_id):
        new_pair(world.keys, owner)
    people = "".join(
        f'\n[people.{person.person_id}]\nname = "{person.name}"\nroles = ["{person.role}"]\n'
        f'sign = "../keys/{person.person_id}.sign.pub.pem"\nopen = "../keys/{person.person_id}.open.pub.pem"\n'
        for person in (SECOND_CLERK, LIEUTENANT)
    )
    trust.write_text(trust.read_text().replace("[docks]\n", f'[docks]\n{ANNEX} = "../keys/{ANNEX}.sign.pub.pem"\n'))
    _sign_trust(world, 2, people)
    policy = world.config / "policy.toml"
    policy.write_text(policy.read_text() + "\n[retention]\nnotice_days = 0\n")
    annex = (world.config / "dock.toml").read_text()
    for before, after in ((cast.DOCK, ANNEX), ("../mounts", "../annex"), ("../vault", "../annex-vault")):
        annex = annex.replace(before, after)
    (world.root / "annex").mkdir()
    annex = annex.replace("../state/dock", "../state/annex").replace(
        "scan_seconds", "orphan_seconds = 1.0\nscan_seconds"
    )
    (world.config / "annex.toml").write_text(annex)


@pytest.fixture(scope="module")
def precinct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Precinct]:
    root = tmp_path_factory.mktemp("unconflicted") / "world"
    (root / "cad").mkdir(parents=True)
    with running(root, '\n[activation]\nfolder = "../cad"\n', _enrol_more, CAMERAS) as precinct:
        precinct.stage.start("annex", *BWC, "dock", "run", "--config", str(precinct.world.config / "annex.toml"))
        with Session(precinct.broker, (precinct.topics.status(ANNEX),)) as session:
            assert session.wait(lambda m: json.loads(m.payload)["state"] == "online", PATIENCE)
        yield precinct


def dispatched(precinct: Precinct, incident_id: str, minutes: int, *officers: str, unit_id: str = "711") -> None:
    """Dispatch sends a call of ten minutes, so long after this file's beginning."""
    begin = BEGAN + timedelta(minutes=minutes)
    times = {"Dispatched": 0, "OnScene": 60, "Cleared": 600}
    history = [[status, format_instant(begin + timedelta(seconds=at))] for status, at in times.items()]
    unit = {"unit_id": unit_id, "officers": list(officers), "statuses": history}
    call = {"incident_id": incident_id, "incident_type": "burglary", "priority": 2, "units": [unit]}
    path = precinct.world.root / "incidents.json"
    path.write_text(json.dumps([call]))
    command = [*SIM, "dispatch", "--from", str(path), "--to", precinct.world.broker, "--agency", AGENCY]
    subprocess.run(command, check=True, capture_output=True)


def recorded(precinct: Precinct, bay: str, minutes: int, *more: str, **who: Any) -> str:
    """Docks a camera with one clip that began so long after this file's beginning; returns the clip's id."""
    start = format_instant(BEGAN + timedelta(minutes=minutes))
    spec = f"started_at={start},seconds=600,pre_event=0,trigger_on=dispatch,bytes=3000"
    (clip,) = precinct.dock_camera(bay, "--clip", spec, "--timeout", "60", *more, **who)["clips"]
    return str(clip["clip_id"])


def tagged(precinct: Precinct, clip_id: str, incident_id: str) -> None:
    """Returns once the clip's notice names the incident."""
    precinct.notice(clip_id, lambda n: incident_id in {a["incident_id"] for a in n["activation"]["assignments"]})


def says_none(precinct: Precinct, person: CastMember, *about: str) -> None:
    occurred = format_instant(BEGAN - timedelta(minutes=1))
    attest(precinct, person, "classification", *about, "--force", "none", "--occurred-at", occurred, "--anyway")


def refused(precinct: Precinct, person: CastMember, clip_id: str, purpose: str = "report") -> list[str]:
    """The kinds of need that a refusal names."""
    decision = request(precinct, person, clip_id, purpose, expect=3)
    assert decision["outcome"] == "refused"
    return [need["kind"] for need in decision["needs"]]


def court_order(clip_id: str, name: str, **fields: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    order = {"reference": "23CV-1187", "court": "Circuit Court", "dated": format_instant(now), "sha256": "ab" * 32}
    until = format_instant(now + timedelta(days=1))
    return {"authorization_id": name, "clip_id": clip_id, "expires_at": until, "court_order": order} | fields


def authorize(precinct: Precinct, folder: Path, fields: dict[str, Any], *people: CastMember) -> None:
    """Each of these people signs the same authorization."""
    path = folder / f"{fields['authorization_id']}.json"
    path.write_text(json.dumps([fields]))
    for person in people:
        attest(precinct, person, "authorization", "--from", str(path))


def test_a_slow_clock_misses_its_call_and_opens_nothing(precinct: Precinct) -> None:
    dispatched(precinct, "U-1", 0, cast.OFFICER.person_id)
    clip_id = recorded(precinct, "bay-1", 1, "--skew", "-3600")
    assert refused(precinct, cast.OFFICER, clip_id) == ["classification"]
    says_none(precinct, LIEUTENANT, "--incident-id", "U-1")
    assert refused(precinct, cast.OFFICER, clip_id) == ["classification"]
    says_none(precinct, LIEUTENANT, "--clip-ids", clip_id)
    assert request(precinct, cast.OFFICER, clip_id, "report")["outcome"] == "released"


def test_a_document_set_aside_is_no_evidence_that_nothing_happened(precinct: Precinct) -> None:
    precinct.publish(precinct.topics.cad("U-2"), b"{not a document")
    clip_id = recorded(precinct, "bay-2", 20)
    assert refused(precinct, cast.OFFICER, clip_id) == ["classification"]


def test_a_call_that_names_the_unit_and_no_officer(precinct: Precinct) -> None:
    dispatched(precinct, "U-3", 40, unit_id="799")
    clip_id = recorded(precinct, "bay-3", 41)
    says_none(precinct, LIEUTENANT, "--incident-id", "U-3")
    assert refused(precinct, cast.OFFICER, clip_id) == ["classification"]


def test_a_sergeant_signs_none_before_docking_his_own_camera(precinct: Precinct) -> None:
    dispatched(precinct, "U-4", 60, SERGEANT.person_id)
    says_none(precinct, SERGEANT, "--incident-id", "U-4")
    clip_id = recorded(precinct, "bay-4", 61, serial="cam-0003", officer=SERGEANT.person_id)
    tagged(precinct, clip_id, "U-4")
    assert refused(precinct, SERGEANT, clip_id) == ["classification"]
    assert refused(precinct, SERGEANT, clip_id, "supervision") == ["classification"]
    says_none(precinct, LIEUTENANT, "--incident-id", "U-4")
    assert request(precinct, SERGEANT, clip_id, "report")["outcome"] == "released"


def test_a_file_named_like_a_colleagues_clip_shadows_nothing(precinct: Precinct) -> None:
    """At a dock that sorts first. It gets a fresh id, and what is asked for by the id is the colleague's clip."""
    clip_id = recorded(precinct, "bay-5", 80)
    world = precinct.world
    start = format_instant(BEGAN + timedelta(minutes=80))
    camera = precinct.stage.begin(
        *SIM,
        "camera",
        *("--mounts", str(world.root / "annex"), "--bay", "bay-1", "--serial", "cam-0002", "--json"),
        *("--officer", cast.ROUTINE_OFFICER.person_id, "--key", str(world.key("cam-0002", "sign"))),
        *("--dock-key", str(world.key(ANNEX, "sign", public=True)), "--store", str(world.root / "cameras" / "annex")),
        *("--clip", f"clip_id={clip_id},started_at={start},seconds=60,bytes=4000", "--fault", "no-capture"),
        *("--until", "docked", "--stay", "--timeout", "5"),
    )
    log = ["custody", "log", "--config", str(world.config / "annex.toml")]

    def taken_in() -> list[dict[str, Any]]:
        ran = subprocess.run([*BWC, *log], capture_output=True, text=True, check=True)
        entries = [json.loads(line) for line in ran.stdout.splitlines()]
        return [entry for entry in entries if entry["action"] == "ingested"]

    wait_until(lambda: bool(taken_in()), "the annex to take it in")
    precinct.stage.finish(camera)
    [entry] = taken_in()
    assert entry["clip_id"] != clip_id and entry["detail"]["claimed_clip_id"] == clip_id
    with Session(precinct.broker, (precinct.topics.ack(ANNEX),)) as session:
        assert session.wait(lambda m: True, PATIENCE) is not None, "the policy service has heard of it"
    says_none(precinct, LIEUTENANT, "--clip-ids", clip_id)
    assert request(precinct, cast.OFFICER, clip_id, "report")["outcome"] == "released"
    assert "classification" not in refused(precinct, cast.ROUTINE_OFFICER, clip_id)


def test_saying_court_is_no_order_and_one_clerk_is_none_either(precinct: Precinct, tmp_path: Path) -> None:
    clip_id = recorded(precinct, "bay-6", 100)
    says_none(precinct, LIEUTENANT, "--clip-ids", clip_id)
    assert refused(precinct, cast.RECORDS, clip_id, "court") == ["court_order"]
    viewer = {"person_id": SECOND_CLERK.person_id, "purposes": ["court"]}
    authorize(precinct, tmp_path, court_order(clip_id, "c1", **viewer), cast.RECORDS)
    assert refused(precinct, SECOND_CLERK, clip_id, "court") == ["court_order"]
    authorize(precinct, tmp_path, court_order(clip_id, "c2", **viewer), cast.RECORDS, cast.CHIEF)
    assert request(precinct, SECOND_CLERK, clip_id, "court")["outcome"] == "released"


def test_two_clerks_dispose_of_nothing(precinct: Precinct, tmp_path: Path) -> None:
    clip_id = recorded(precinct, "bay-7", 120)
    says_none(precinct, LIEUTENANT, "--clip-ids", clip_id)
    fields = court_order(clip_id, "d1", purposes=["disposal"])
    authorize(precinct, tmp_path, fields, cast.RECORDS, SECOND_CLERK)
    assert request(precinct, cast.OFFICER, clip_id, "report")["outcome"] == "released", "decided after both were heard"
    assert precinct.custody(action="disposed") == []
    assert (precinct.world.vault / "clips" / clip_id / "clip.sealed").exists()


def test_a_key_revoked_from_a_time_opens_nothing_from_then_on(precinct: Precinct) -> None:
    """The last test of this file: the lieutenant's key is gone after it."""
    dispatched(precinct, "U-8", 140, cast.OFFICER.person_id)
    clip_id = recorded(precinct, "bay-8", 141)
    tagged(precinct, clip_id, "U-8")
    stolen_since = format_instant(datetime.now(UTC))
    says_none(precinct, LIEUTENANT, "--incident-id", "U-8")
    assert request(precinct, cast.OFFICER, clip_id, "report")["outcome"] == "released"
    precinct.notice(clip_id, lambda n: n["lock"]["state"] == "released")
    key = keyid(load_sign_public(precinct.world.key(LIEUTENANT.person_id, "sign", public=True)))
    _sign_trust(precinct.world, 3, f'\n[[revoked]]\nkeyid = "{key}"\nfrom = "{stolen_since}"\n')
    for name in ("policy", "dock", "annex"):
        precinct.stage.signal(name, signal.SIGHUP)
    precinct.notice(clip_id, lambda n: n["lock"]["state"] == "locked")
    assert refused(precinct, cast.OFFICER, clip_id) == ["classification"]
