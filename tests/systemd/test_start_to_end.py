"""An administrator, a Debian machine, an hour: installed, set up, a camera docked, its clip locked, released, opened.

A machine of its own: nothing is on it but what Debian's packages and `make install` put there. The broker is Debian's
Mosquitto as its package starts it, with the files that `bwc setup` made; the board is looked at in real Chromium.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from daemon.model.times import format_instant
from tests.board.chromium import Screen, accessible
from tests.kit.precinct import wait_until
from tests.systemd.machine import Machine, possible
from tests.systemd.station import UNITS, docked

pytestmark = pytest.mark.xdist_group("loop devices")
OFFICER, SUPERVISOR, CAMERA, BAY = "51234", "41001", "cam-0001", "bay-1"
PEOPLE = (f"{OFFICER}:officer:Officer Lee", f"{SUPERVISOR}:supervisor:Sergeant Reyes")
SIZE = 30_000_000


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    possible()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", 8883)), "the broker's port must be free: the machine shares our network"
    with Machine(tmp_path / "m") as machine:
        yield machine


def set_up(machine: Machine) -> None:
    """What the README tells an administrator to do."""
    machine.make("install")
    who = [word for person in PEOPLE for word in ("--person", person)]
    first = ("--agency", "portland", "--dock", "central-1", "--broker", "localhost", "--camera", CAMERA)
    machine.run("bwc", "setup", *first, *who, "--no-ask", "--seconds", "1")
    made, broker = "/etc/bwc/secrets/broker/broker", "/etc/mosquitto/bwc"
    machine.run("mkdir", "-p", broker)
    machine.run("sh", "-ec", f"cp {made}/bwc.acl {made}/*.pem {made}/server.key {broker}/")
    machine.run("chown", "mosquitto", f"{broker}/server.key")
    machine.run("chmod", "600", f"{broker}/server.key")
    machine.run("cp", "-n", f"{made}/bwc.conf", "/etc/mosquitto/conf.d/")
    machine.run("systemctl", "restart", "mosquitto")
    # as their comments say: the pace of a slow camera, and the clip's whole custody on the board
    change(machine, "dock", "camera_bytes_per_second = 0.0", "camera_bytes_per_second = 10000000.0")
    change(machine, "board", '# vault = "/var/lib/bwc/vault"', 'vault = "/var/lib/bwc/vault"')
    drop_in = machine.path("/etc/systemd/system/bwc-board.service.d/vault.conf")
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text("[Service]\nSupplementaryGroups=bwc-dock\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "enable", "--now", *UNITS)
    machine.run("bwc", "setup", "check")


def change(machine: Machine, name: str, before: str, after: str) -> None:
    path = machine.path(f"/etc/bwc/{name}.toml")
    text = path.read_text()
    assert text.count(before) == 1, before
    path.write_text(text.replace(before, after))


def person(machine: Machine, who: str, *words: str) -> Any:
    """A command as somebody runs it with their own keys and certificate."""
    secrets = "/etc/bwc/secrets"
    environment = {
        "BWC_BROKER": "mqtts://localhost",
        "BWC_AGENCY": "portland",
        "BWC_PERSON": who,
        "BWC_KEYS": f"{secrets}/people/{who}",
        "BWC_CA": "/etc/bwc/tls/ca.pem",
        "BWC_CERT": f"{secrets}/broker/clients/person/{who}.pem",
        "BWC_TLS_KEY": f"{secrets}/broker/clients/person/{who}.key",
    }
    return json.loads(machine.run("bwc", *words, "--json", environment=environment, result_alone=True))


def record(machine: Machine) -> dict[str, Any]:
    """The camera that is mounted on the bay has a clip."""
    key = machine.world / "camera.pem"
    shutil.copyfile(machine.path(f"/etc/bwc/secrets/cameras/{CAMERA}.sign.pem"), key)
    key.chmod(0o644)
    words = ("setpriv", "--reuid=bwc-dock", "--regid=bwc-dock", "--clear-groups", "/opt/bwc/bin/bwc-sim", "camera")
    where = ("--mounts", "/run/bwc/mounts", "--bay", BAY, "--serial", CAMERA, "--officer", OFFICER)
    clip = ("--key", "/world/camera.pem", "--store", "/tmp/camera", "--bytes", str(SIZE))
    said = json.loads(machine.run(*words, *where, *clip, "--until", "docked", "--stay", "--json"))
    found: dict[str, Any] = said["clips"][0]
    return found


def test_from_make_install_to_an_opened_clip(machine: Machine, browser: Browser) -> None:
    set_up(machine)
    screen = Screen(browser, "http://127.0.0.1:8460")
    wall = {"width": 1920, "height": 1080}
    with screen.page("/", viewport=wall) as bays, screen.page("/clips", viewport=wall) as clips:
        bay = bays.locator(".bay", has=bays.get_by_role("heading", name=BAY)).locator(".state")
        with docked(machine, BAY) as undock:
            clip = record(machine)
            expect(bay).to_contain_text("Reading")
            expect(bay).to_contain_text("Safe to undock")
            receipt = machine.path(f"/run/bwc/mounts/{BAY}/receipts/{clip['clip_id']}.receipt.json")
            wait_until(receipt.exists, "the receipt")
            accessible(bays, "start-to-end-bays")
            undock()
        expect(bay).to_contain_text("Empty")

        line = clips.locator("#locked tbody tr")
        expect(line).to_contain_text("no release order")
        expect(line).to_contain_text(OFFICER)
        happened = ("--incident-id", "26-1", "--clip-ids", clip["clip_id"], "--force", "minimal", "--anyway")
        then = ("--occurred-at", format_instant(datetime.now(UTC) - timedelta(hours=1)), "--involved", OFFICER)
        person(machine, SUPERVISOR, "attest", "classification", *happened, *then)
        expect(line).to_contain_text(f"a statement to a supervisor from {OFFICER}")
        accessible(clips, "start-to-end-clips")
        line.get_by_role("link").first.click()
        expect(clips.locator(".lock")).to_contain_text("locked: no release order")

        about = ("--incident-id", "26-1", "--officer-id", OFFICER, "--to", "supervisor", "--form", "unrecorded")
        person(machine, SUPERVISOR, "attest", "statement", *about)
        asked = ("--clip", clip["clip_id"], "--purpose", "report")
        assert person(machine, OFFICER, "review", "request", *asked)["outcome"] == "released"
        expect(clips.locator(".lock")).to_contain_text("released")
        trust = ("--trust", "/etc/bwc/trust.json", "--root", "/etc/bwc/keys/root.sign.pub.pem")
        opened = ("--clip", clip["clip_id"], "--vault", "/var/lib/bwc/vault", *trust, "--out", "/world/clip.mp4")
        person(machine, OFFICER, "review", "open", *opened)
        expect(clips.locator("#history")).to_contain_text(f"opened by {OFFICER}")
        accessible(clips, "start-to-end-clip")
    footage = (machine.world / "clip.mp4").read_bytes()
    assert len(footage) == SIZE and hashlib.sha256(footage).hexdigest() == clip["sha256"]
    assert machine.run("bwc", "dock", "check").endswith(" 0 findings")
