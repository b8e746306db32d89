"""A new trust version takes effect on SIGHUP, without dropping a clip; an older one never does."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from daemon.cli.demo.world import World
from daemon.cli.trust import build
from daemon.model.statements import TrustStatement
from daemon.seal import envelope as envelopes
from daemon.seal.private_keys import load_sign_key, new_pair
from tests.kit.precinct import Precinct, running, wait_until

pytestmark = pytest.mark.xdist_group("enrolment")


@pytest.fixture(scope="module")
def precinct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Precinct]:
    with running(tmp_path_factory.mktemp("enrol") / "world") as precinct:
        yield precinct


def put_trust(world: World, trust: TrustStatement) -> None:
    data = envelopes.sign(trust, load_sign_key(world.key("root", "sign"))).to_bytes()
    (world.config / "trust.json").write_bytes(data)


def enrol(world: World, serial: str, version: int) -> None:
    """Signs a trust of this version that also enrols a camera."""
    text = (world.config / "trust.toml").read_text()
    line = f'{serial} = "../keys/{serial}.sign.pub.pem"'
    if line not in text:
        text = text.replace("[cameras]\n", f"[cameras]\n{line}\n")
    (world.config / "trust.toml").write_text(text.replace("version = 1\n", f"version = {version}\n", 1))
    put_trust(world, build(world.config / "trust.toml"))


def test_an_unenrolled_camera_is_taken_in_once_it_is_enrolled(precinct: Precinct) -> None:
    new_pair(precinct.world.keys, "cam-0003")
    camera = precinct.camera("bay-1", "--bytes", "4000", "--timeout", "60", serial="cam-0003")
    assert "not enrolled" in precinct.bay("bay-1", "refused")["reason"]
    enrol(precinct.world, "cam-0003", 2)
    for name in ("policy", "dock"):
        precinct.stage.signal(name, signal.SIGHUP)
    docked = precinct.stage.finish(camera)
    assert docked.code == 0, docked.words
    assert docked.document["clips"][0]["erased"]


def test_an_older_trust_is_refused_and_said(precinct: Precinct) -> None:
    world = precinct.world
    trust = build(world.config / "trust.toml")
    log = world.logs / "dock.log"
    put_trust(world, trust.model_copy(update={"version": 9}))
    precinct.stage.signal("dock", signal.SIGHUP)
    wait_until(lambda: "trust version 9 is in force" in log.read_text(), "the new trust")
    put_trust(world, trust.model_copy(update={"version": 8}))
    precinct.stage.signal("dock", signal.SIGHUP)
    wait_until(lambda: "version 8, but 9 was in force" in log.read_text(), "the refusal")
    precinct.stage.check_alive()
