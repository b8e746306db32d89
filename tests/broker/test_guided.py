"""`bwc setup`, and what it wrote at work: a real Mosquitto with TLS, a dock and a policy service started from its
files, a clip that goes in, is released and opened.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.demo.stage import BWC, SIM, Ran, Stage, free_port
from daemon.cli.demo.world import World
from daemon.model.times import format_instant
from tests.kit.mosquitto import Mosquitto, program, shipped
from tests.kit.mounting import tmpfs
from tests.kit.patience import PATIENCE
from tests.kit.precinct import wait_until

pytestmark = [
    pytest.mark.xdist_group("acl"),
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a camera needs root"),
]
ANSWERS = """
agency = "portland"
dock = "central-1"
cameras = ["cam-0001"]
[people.51234]
name = "Officer Lee"
roles = ["officer"]
[people.41001]
name = "Sergeant Reyes"
roles = ["supervisor"]
"""


@dataclass(frozen=True)
class Agency:
    """A machine that was set up, and its broker."""

    root: Path
    stage: Stage
    mosquitto: Mosquitto

    @property
    def etc(self) -> Path:
        return self.root / "etc"

    @property
    def url(self) -> str:
        return f"mqtts://localhost:{self.mosquitto.port}"

    def setup(self, *words: str) -> str:
        ran = subprocess.run(
            [*BWC, "setup", *words, "--to", str(self.etc), "--seconds", "5"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def check(self) -> tuple[int, dict[str, set[str]]]:
        """`bwc setup check`: its exit code, and what is in which state."""
        command = [*BWC, "setup", "check", "--to", str(self.etc), "--seconds", "2", "--json"]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        found: dict[str, set[str]] = {"ok": set(), "note": set(), "missing": set()}
        for one in json.loads(ran.stdout):
            found[one["state"]].add(f"{one['what']}: {one['words']}")
        return ran.returncode, found

    def start(self, service: str, verb: str) -> None:
        self.stage.start(service, *BWC, service, verb, "--config", str(self.etc / f"{service}.toml"))

    def person(self, person_id: str, *words: str | Path) -> Any:
        secrets = self.etc / "secrets"
        pair = secrets / "broker" / "clients" / "person" / person_id
        who = {"as": person_id, "keys": secrets / "people" / person_id, "broker": self.url, "agency": "portland"}
        who |= {"ca": self.etc / "tls" / "ca.pem", "cert": f"{pair}.pem", "tls-key": f"{pair}.key"}
        return self.stage.bwc(
            *words, *(word for name, value in who.items() for word in (f"--{name}", str(value)))
        ).document

    def dock_camera(self, bay: str) -> Ran:
        secrets, public = self.etc / "secrets", self.etc / "keys" / "central-1.sign.pub.pem"
        return self.stage.run(
            *(*SIM, "camera", "--mounts", str(self.root / "mounts"), "--bay", bay, "--stay", "--json"),
            *("--serial", "cam-0001", "--officer", "51234", "--key", str(secrets / "cameras" / "cam-0001.sign.pem")),
            *("--dock-key", str(public), "--store", str(self.root / "camera"), "--timeout", "30"),
        )


@pytest.fixture
def agency(tmp_path: Path) -> Iterator[Agency]:
    program()
    world, port = World(tmp_path, free_port()), free_port()
    world.logs.mkdir()
    (tmp_path / "mounts").mkdir()
    (tmp_path / "answers.toml").write_text(f'broker = "localhost:{port}"\n{ANSWERS}')
    where = [word for name in ("mounts", "vault", "state") for word in (f"--{name}", str(tmp_path / name))]
    etc = ["--to", str(tmp_path / "etc"), "--seconds", "0.1"]
    command = [*BWC, "setup", "--answers", str(tmp_path / "answers.toml"), *where, *etc]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert ran.returncode == 0 and "4 missing" in ran.stdout, f"all but the broker: {ran.stdout}{ran.stderr}"
    mosquitto = shipped(tmp_path / "mosquitto", tmp_path / "etc" / "secrets" / "broker" / "broker", port)
    with mosquitto, Stage(world) as stage:
        yield Agency(tmp_path, stage, mosquitto)
        denied = [line for line in mosquitto.log.splitlines() if "Denied PUBLISH" in line]
        assert denied == [], "nobody of ours, and no check, tries what they may not"


def test_from_questions_to_an_opened_clip(agency: Agency, tmp_path: Path) -> None:
    code, found = agency.check()
    assert (code, found["missing"]) == (0, set())
    assert "answers: dock central-1 is not running" in found["note"]
    agency.start("policy", "serve")
    agency.start("dock", "run")
    started = datetime.now(UTC) - timedelta(hours=1)
    with tmpfs(tmp_path / "mounts" / "bay-1", "64m"):
        camera = agency.dock_camera("bay-1")
    assert camera.code == 0, camera.words
    [clip] = camera.document["clips"]
    assert clip["erased"], "the policy service opened what the dock sealed, and acknowledged it"
    happened = ("--incident-id", "23-1", "--occurred-at", format_instant(started), "--force", "none")
    unknown = ("--clip-ids", clip["clip_id"], "--anyway")  # dispatch knows of no such incident
    agency.person("41001", "attest", "classification", *happened, *unknown)
    decision = agency.person("51234", "review", "request", "--clip", clip["clip_id"], "--purpose", "report")
    assert decision["outcome"] == "released"
    root = ("--trust", agency.etc / "trust.json", "--root", agency.etc / "keys" / "root.sign.pub.pem")
    opening = ("review", "open", "--clip", clip["clip_id"], "--vault", tmp_path / "vault", *root)
    assert agency.person("51234", *opening, "--out", tmp_path / "clip.mp4")["clip_sha256"] == clip["sha256"]
    code, found = agency.check()
    assert (code, found["missing"]) == (0, set())
    assert {"answers: dock central-1 is online", "answers: the policy service has acknowledged this dock"} <= found[
        "ok"
    ]


def test_a_newcomer_gets_in(agency: Agency) -> None:
    agency.start("policy", "serve")
    said = agency.setup("--person", "10001:chief:Chief Day")
    assert "as person 10001: the broker refused" in said, "its access list is the one from before"
    agency.mosquitto.reload()
    assert agency.check()[0] == 0
    (agency.mosquitto.folder / "log").write_text("")  # that refusal was asked for
    agency.stage.signal("policy", 1)
    answered: list[Any] = []

    def listed() -> bool:
        answered.append(agency.person("10001", "review", "list"))
        return True

    wait_until(listed, "the list of clips")
    assert answered == [[]]


def test_one_role_that_the_broker_refuses_is_named(agency: Agency) -> None:
    """The access list is an old one, without the dock."""
    acl = agency.etc / "secrets" / "broker" / "broker" / "bwc.acl"
    text = acl.read_text()
    start = text.index("# dock central-1")
    acl.write_text(text[:start] + text[text.index("# person", start) :])
    agency.mosquitto.reload()
    code, found = agency.check()
    assert code == 2
    assert [one.split(":")[1].strip() for one in found["missing"]] == ["as dock central-1"]
    (agency.mosquitto.folder / "log").write_text("")  # that refusal was asked for


def test_an_authority_that_is_another(agency: Agency) -> None:
    other = agency.root / "other"
    command = [*BWC, "setup", "broker", "--out", str(other), "--agency", "portland", "--name", "localhost"]
    subprocess.run(command, check=True, capture_output=True)
    for path in (agency.etc / "tls" / "ca.pem",):
        path.write_bytes((other / "ca.pem").read_bytes())
    code, found = agency.check()
    assert code == 2
    assert len(found["missing"]) == 4
