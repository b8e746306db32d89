"""The whole product through the shipped broker: TLS, client certificates, access list. Docked, dispatched, asked for,
released, opened, revoked; and everybody may do it with what `bwc setup broker --trust` gives them, nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.demo import world as worlds
from daemon.cli.demo.stage import BWC, SIM, Stage
from daemon.cli.demo.world import AGENCY, DOCK, OFFICER, SUPERVISOR, CastMember, World
from daemon.link.mqtt import Received
from daemon.link.session import Session
from daemon.model.config import Broker
from daemon.model.times import format_instant
from daemon.model.topics import Topics
from tests.broker.conftest import setup_broker
from tests.kit.mosquitto import Mosquitto, program, shipped
from tests.kit.patience import PATIENCE

pytestmark = pytest.mark.xdist_group("acl")
TOPICS = Topics(AGENCY)
CAMERA = worlds.CAMERAS[OFFICER.person_id]


@dataclass(frozen=True)
class Office:
    """An agency whose every part talks through the shipped broker."""

    world: World
    setup: Path
    mosquitto: Mosquitto
    stage: Stage

    @property
    def url(self) -> str:
        return f"mqtts://localhost:{self.mosquitto.port}"

    def broker(self, role: str, owner: str) -> Broker:
        """As this owner reaches it."""
        pair = self.setup / "clients" / role / owner
        return Broker(url=self.url, ca=self.setup / "ca.pem", certificate=Path(f"{pair}.pem"), key=Path(f"{pair}.key"))

    def configure(self) -> None:
        """Both services' [broker], as their administrator writes it."""
        for service, owner in (("dock", DOCK), ("policy", "policy")):
            path = self.world.config / f"{service}.toml"
            said = self.broker(service, owner)
            lines = f'ca = "{said.ca}"\ncertificate = "{said.certificate}"\nkey = "{said.key}"'
            before = f'url = "{self.world.broker}"'
            assert before in path.read_text()
            path.write_text(path.read_text().replace(before, f'url = "{said.url}"\n{lines}'))

    def who(self, person: CastMember) -> list[str]:
        said = self.broker("person", person.person_id)
        options = {"as": person.person_id, "keys": self.world.keys, "broker": said.url, "agency": AGENCY}
        options |= {"ca": said.ca, "cert": said.certificate, "tls-key": said.key}
        return [word for name, value in options.items() for word in (f"--{name}", str(value))]

    def bwc(self, person: CastMember, *words: str | Path, expect: int = 0) -> Any:
        return self.stage.bwc(*words, *self.who(person), expect=expect).document

    def dispatch(self, incident_id: str, start: datetime) -> None:
        """The dispatch system sends one incident with the officer on it."""
        statuses = [["Dispatched", format_instant(start)], ["Cleared", format_instant(start + timedelta(minutes=9))]]
        units = [{"unit_id": "711", "officers": [OFFICER.person_id], "statuses": statuses}]
        incident = {"incident_id": incident_id, "incident_type": "traffic stop", "priority": 1, "units": units}
        path = self.world.config / "incidents.json"
        path.write_text(json.dumps([incident]))
        said = self.broker("dispatch", "cad")
        tls = ("--ca", str(said.ca), "--cert", str(said.certificate), "--tls-key", str(said.key))
        ran = self.stage.run(
            *SIM, "dispatch", "--from", str(path), "--to", said.url, "--agency", AGENCY, *tls, "--json"
        )
        assert ran.code == 0, ran.words


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    program()
    world = worlds.make(tmp_path / "world", 1)
    trust = ("--trust", world.config / "trust.json", "--root", world.key("root", "sign", public=True))
    more = ("--name", "localhost", "--dispatch", "cad", "--board", "room", "--witness", "auditor")
    printed = setup_broker(tmp_path / "setup", *map(str, trust), *more)
    assert len(printed["users"]) == 1 + 1 + len(worlds.PEOPLE) + 3
    with (
        shipped(tmp_path / "mosquitto", tmp_path / "setup" / "broker") as mosquitto,
        Stage(world) as stage,
    ):
        made = Office(world, tmp_path / "setup", mosquitto, stage)
        made.configure()
        stage.start("policy", *BWC, "policy", "serve", "--config", str(world.config / "policy.toml"))
        stage.start_dock()
        yield made
        denied = [line for line in mosquitto.log.splitlines() if "Denied PUBLISH" in line]
        assert denied == [], "nobody of ours tries what they may not"


def test_docked_released_and_opened(office: Office, tmp_path: Path) -> None:
    world, clips, statuses = office.world, TOPICS.clip(DOCK, "+"), TOPICS.status(DOCK)
    start = datetime.now(UTC) - timedelta(hours=1)
    with (
        Session(
            office.broker("board", "room"), (clips, statuses, TOPICS.standing("+", "+"), TOPICS.bay(DOCK, "+"))
        ) as room,
        Session(office.broker("witness", "auditor"), (TOPICS.checkpoint("+"), TOPICS.custody("+", "+"))) as auditor,
    ):

        def heard(session: Session, topic: str, **wanted: object) -> dict[str, Any]:
            def fits(message: Received) -> bool:
                document = json.loads(message.payload)
                flat = document | document.get("lock", {}) | document.get("activation", {})
                return topic in message.topic and all(flat.get(name) == value for name, value in wanted.items())

            message = session.wait(fits, PATIENCE)
            if message is None:
                office.stage.check_alive()
                raise AssertionError(f"{topic} {wanted} never came")
            document: dict[str, Any] = json.loads(message.payload)
            return document

        heard(room, "/status", state="online")
        office.dispatch("23-310002", start)
        camera = office.stage.run(
            *(*SIM, "camera", "--mounts", str(world.mounts), "--bay", "bay-1", "--serial", CAMERA, "--json"),
            *("--officer", OFFICER.person_id, "--key", str(world.key(CAMERA, "sign")), "--timeout", "30"),
            *(
                "--dock-key",
                str(world.key(DOCK, "sign", public=True)),
                "--clip",
                f"started_at={format_instant(start)},seconds=2",
            ),
        )
        assert camera.code == 0, camera.words
        [taken] = camera.document["clips"]
        clip_id = taken["clip_id"]
        assert taken["erased"], "the policy service's acknowledgement came back to the dock"
        heard(room, f"/clip/{clip_id}", state="locked")
        heard(room, "/standing/", clip_id=clip_id, incidents=["23-310002"], force="unclassified")

        span = f"{format_instant(start)}/{format_instant(datetime.now(UTC))}"
        shift = office.bwc(SUPERVISOR, "attest", "classification", "--shift", span, "--yes")
        assert [group["incident_id"] for group in shift["groups"]] == ["23-310002"], "a person hears how clips stand"
        happened = ("--occurred-at", format_instant(start), "--force", "none", "--clip-ids", clip_id)
        office.bwc(SUPERVISOR, "attest", "classification", "--incident-id", "23-310002", *happened)
        [listed] = office.bwc(OFFICER, "review", "list")
        assert (listed["clip_id"], listed["incidents"]) == (clip_id, "23-310002"), "dispatch reached the dock"
        decision = office.bwc(OFFICER, "review", "request", "--clip", clip_id, "--purpose", "report")
        assert decision["outcome"] == "released"
        heard(room, f"/clip/{clip_id}", state="released")
        root = ("--trust", world.config / "trust.json", "--root", world.key("root", "sign", public=True))
        opening = ("review", "open", "--clip", clip_id, "--vault", world.vault, *root, "--out", tmp_path / "clip.mp4")
        assert office.bwc(OFFICER, *opening)["clip_sha256"] == taken["sha256"]
        assert office.bwc(OFFICER, "review", "status")[0]["outcome"] == "released"
        assert office.bwc(SUPERVISOR, "review", "status") == [], "of another's decisions nobody hears"
        status = office.stage.bwc("dock", "status", "--config", world.config / "dock.toml").document
        assert status["dock"]["state"] == "online" and status["bays"]

        actions: set[str] = set()
        while "opened" not in actions:
            message = auditor.wait(lambda message: "/custody/" in message.topic, PATIENCE)
            assert message is not None, f"the auditor heard only {actions}"
            actions.add(json.loads(message.payload)["action"])
        assert {"ingested", "tagged", "receipted", "released", "opened"} <= actions
