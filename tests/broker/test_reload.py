"""SIGHUP while a clip is read: new certificates and a new log level are in force, and the clip gets in."""

from __future__ import annotations

import json
import re
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.demo.stage import SIM
from daemon.cli.demo.world import AGENCY, DOCK, OFFICER, SUPERVISOR
from daemon.link.session import Session
from daemon.model.times import format_instant
from tests.broker import test_whole
from tests.broker.conftest import setup_broker
from tests.broker.test_whole import CAMERA, TOPICS, Office
from tests.kit.precinct import wait_until

pytestmark = pytest.mark.xdist_group("acl")
office = test_whole.office
OWNERS = {DOCK: ("dock", DOCK), "policy": ("policy", "policy")}
CLIENTS = {f"{AGENCY}-{name}{inbox}": name for name in OWNERS for inbox in ("", "-inbox")}
SIZE, PACE = 18_000_000, 1_500_000


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert text.count(before) == 1, before
    path.write_text(text.replace(before, after))


def connections(office: Office, client: str) -> list[str]:
    """Under which certificates' names this client has connected, oldest first."""
    return re.findall(rf"New client connected from \S+ as {client} \(.*u'([^']+)'\)", office.mosquitto.log)


def said(office: Office, service: str) -> list[dict[str, Any]]:
    log = office.world.logs / f"{service}.log"
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def await_said(office: Office, service: str, words: str, times: int = 1) -> None:
    def heard() -> bool:
        return sum(words in line["message"] for line in said(office, service)) >= times

    wait_until(heard, f"{service}: {words}; it said {said(office, service)[-3:]}")


def renew(office: Office) -> None:
    """New pairs for dock and policy service, as their administrator makes them. The broker lets in old and new."""
    access = office.setup / "broker" / "bwc.acl"
    old = access.read_text()
    for role, owner in OWNERS.values():
        for suffix in ("pem", "key"):
            (office.setup / "clients" / role / f"{owner}.{suffix}").unlink()
    root = office.world.key("root", "sign", public=True)
    setup_broker(office.setup, "--trust", str(office.world.config / "trust.json"), "--root", str(root))
    access.write_text(old + access.read_text())
    office.mosquitto.reload()


def begin_clip(office: Office) -> Any:
    """A camera docks; returns once its only clip is being read."""
    world = office.world
    begun = office.stage.begin(
        *(*SIM, "camera", "--mounts", str(world.mounts), "--bay", "bay-1", "--serial", CAMERA, "--json"),
        *("--officer", OFFICER.person_id, "--key", str(world.key(CAMERA, "sign")), "--timeout", "60"),
        *("--dock-key", str(world.key(DOCK, "sign", public=True)), "--bytes", str(SIZE)),
    )
    with Session(office.broker("board", "room"), (TOPICS.bay(DOCK, "+"),)) as room:
        reading = room.wait(lambda m: json.loads(m.payload)["state"] == "reading", 20)
    assert reading is not None
    return begun


@pytest.fixture
def quiet(office: Office) -> Office:
    """A dock that reads slowly and says only errors, restarted as such."""
    config = office.world.config / "dock.toml"
    office.stage.stop("dock")
    config.write_text(
        f'log = "error"\n{config.read_text()}'.replace("[ingest]\n", f"[ingest]\ncamera_bytes_per_second = {PACE}\n")
    )
    office.stage.start_dock()
    for client in CLIENTS:
        wait_until(lambda client=client: bool(connections(office, client)), client)  # type: ignore[misc]
    return office


def test_new_certificates_and_log_level_while_a_clip_is_read(quiet: Office) -> None:
    office = quiet
    before = {client: connections(office, client)[-1] for client in CLIENTS}
    renew(office)
    edit(office.world.config / "dock.toml", 'log = "error"', 'log = "info"')
    camera = begin_clip(office)
    for name in ("dock", "policy"):
        office.stage.signal(name, signal.SIGHUP)
        await_said(office, name, "connecting to the broker again")
    for client, name in CLIENTS.items():
        wait_until(lambda c=client: connections(office, c)[-1] != before[c], f"{client} anew")  # type: ignore[misc]
        assert connections(office, client)[-1].startswith(":".join(OWNERS[name]) + ":")
    taken = office.stage.finish(camera)
    assert taken.code == 0, taken.words
    [clip] = taken.document["clips"]
    assert clip["erased"], "acknowledged over the new connections"
    words = [line["message"] for line in said(office, "dock")]
    anew = next(number for number, line in enumerate(words) if line.startswith("connecting to the broker again"))
    took_in = [number for number, line in enumerate(words) if line.startswith(f"took in clip {clip['clip_id']}")]
    assert len(took_in) == 1 and took_in[0] > anew, "it was read meanwhile, once, and said at the new level"
    start = format_instant(datetime.now(UTC) - timedelta(hours=1))
    happened = ("--occurred-at", start, "--force", "none", "--clip-ids", clip["clip_id"], "--anyway")
    office.bwc(SUPERVISOR, "attest", "classification", "--incident-id", "23-310009", *happened)
    decision = office.bwc(OFFICER, "review", "request", "--clip", clip["clip_id"], "--purpose", "report")
    assert decision["outcome"] == "released"
    with Session(office.broker("board", "room"), (TOPICS.clip(DOCK, clip["clip_id"]),)) as room:
        notice = room.wait(lambda m: json.loads(m.payload)["lock"]["state"] == "released", 20)
    assert notice is not None


@pytest.mark.parametrize("service", ["dock", "policy"])
def test_what_cannot_be_used_changes_nothing(office: Office, service: str) -> None:
    role, owner = OWNERS[DOCK if service == "dock" else "policy"]
    client, config = f"{AGENCY}-{owner}", office.world.config / f"{service}.toml"
    wait_until(lambda: bool(connections(office, client)), "the first connection")
    good = config.read_text()

    config.write_text(f'log = "loud"\n{good}')
    office.stage.signal(service, signal.SIGHUP)
    await_said(office, service, f"not reloaded, all stays as it was: {config}: log: ")

    key = office.setup / "clients" / role / f"{owner}.key"
    right = key.read_bytes()
    config.write_text(f'log = "error"\n{good}')
    key.write_bytes((office.setup / "clients" / "board" / "room.key").read_bytes())
    office.stage.signal(service, signal.SIGHUP)
    await_said(office, service, f"{key})")

    key.write_bytes(right)
    config.write_text(good.replace("[trust]", '[metrics]\nlisten = "127.0.0.1:1"\n[trust]'))
    office.stage.signal(service, signal.SIGHUP)
    await_said(office, service, "take effect after a restart: metrics.listen")
    await_said(office, service, "trust version 1 is in force")  # said at level info
    assert len(connections(office, client)) == 1, "nothing ended the connection"
    office.stage.check_alive()
