"""A dock and two policy services, each on a node of its own of a cluster that forgets sessions, keeps on one node what
is retained, and stays split: it costs time, and no clip.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from daemon.cli.demo.stage import BWC, Stage
from daemon.cli.demo.world import AGENCY, DOCK, SUPERVISOR, World
from daemon.model.config import Broker
from tests.broker.ejabberd import Cluster
from tests.broker.rig import rows
from tests.kit.postgres import server
from tests.kit.precinct import wait_until
from tests.kit.promise import Camera, make_world

DOCKS_NODE, POLICY_NODES, PEOPLES_NODE = 1, (2, 3), 3
_LEADS = "this service leads from now on"
_LONG = 180.0
"""A dock says again after 30, 60, at most 120 seconds what was not acknowledged."""


@dataclass
class Agency:
    """A dock with two cameras, two policy services, and people."""

    world: World
    stage: Stage
    cluster: Cluster
    store: str
    cameras: list[Camera]

    def start(self) -> None:
        for number in POLICY_NODES:
            config = str(self.world.config / f"policy-{number}.toml")
            self.stage.start(f"policy-{number}", *BWC, "policy", "serve", "--config", config)
        self.stage.start_dock()

    # what people do

    def person(self, person_id: str, command: str, *arguments: str) -> None:
        """They say it again until it is answered."""
        broker = self.cluster.broker(PEOPLES_NODE, person_id)
        who = ("--as", person_id, "--keys", str(self.world.keys), "--agency", AGENCY, "--broker", broker.url)
        known = ("--username", f"{person_id}@localhost", "--password-file", str(self.cluster.password))

        def done() -> bool:
            return self.stage.run(*BWC, *command.split(), *arguments, *who, *known).code == 0

        wait_until(done, f"{person_id}: {command}", _LONG)

    def release(self, clip_id: str) -> None:
        """A supervisor classifies it, its officer asks for it, the dock honours the order."""
        officer = next(camera.officer for camera in self.cameras if clip_id in camera.recorded)
        facts = ("--incident-id", f"of-{clip_id}", "--clip-ids", clip_id, "--force", "none")
        times = ("--occurred-at", "2024-01-01T00:00:00.000Z", "--not-in-custody-death", "--anyway")
        self.person(SUPERVISOR.person_id, "attest classification", *facts, *times)
        self.person(officer, "review request", "--clip", clip_id, "--purpose", "report")
        wait_until(lambda: self.states()[clip_id] == "released", f"clip {clip_id} to be released", _LONG)

    def record(self, clips: int = 2) -> list[str]:
        return [camera.record(3000) for camera in self.cameras for _ in range(clips)]

    # what is on record

    @property
    def recorded(self) -> set[str]:
        return {name for camera in self.cameras for name in camera.recorded}

    def states(self) -> dict[str, str]:
        return {row["clip_id"]: row["state"] for row in self._dock("clip")}

    def _dock(self, table: str) -> list[dict[str, Any]]:
        return rows(self.world.root / "disk" / "state" / "dock.sqlite", table)

    def await_taken_in(self) -> None:
        wait_until(lambda: self.states().keys() >= self.recorded, "the dock to take everything in", _LONG)

    def acknowledged(self) -> bool:
        """Whether the policy service has acknowledged every clip's current notice."""
        newest = max((int(str(row["sequence"])) for row in self._dock("clip")), default=0)
        through = {row["key"]: row["value"] for row in self._dock("meta")}.get("through", 0)
        return int(str(through)) >= newest > 0

    def await_acknowledged(self) -> None:
        self.await_taken_in()
        wait_until(self.acknowledged, "everything to be acknowledged", _LONG)

    def leads(self, number: int) -> int:
        """How often this policy service has taken the lead."""
        log = self.world.logs / f"policy-{number}.log"
        return log.read_text().count(_LEADS) if log.exists() else 0

    def known(self) -> list[str]:
        """The clips in the policy services' store."""
        with psycopg.connect(self.store) as session:
            return [row[0] for row in session.execute("SELECT clip_id FROM clip ORDER BY clip_id")]


@contextmanager
def agency(root: Path, cluster: Cluster, store: str) -> Iterator[Agency]:
    """Everything made and configured, and nothing started."""
    (root / "disk").mkdir(parents=True)
    world = make_world(root, 1, root / "disk")
    dock, policy = world.config / "dock.toml", (world.config / "policy.toml").read_text()
    dock.write_text(_reaching(dock.read_text(), world, cluster.broker(DOCKS_NODE, DOCK)))
    for number in POLICY_NODES:
        text = _reaching(policy, world, cluster.broker(number, f"policy-{number}"))
        text = text.replace('"../state/policy"', f'"../state/policy-{number}"')
        (world.config / f"policy-{number}.toml").write_text(f'{text}\n[store]\nurl = "{store}"\n')
    with Stage(world) as stage:
        yield Agency(world, stage, cluster, store, [Camera(world, number, random.Random(number)) for number in (0, 1)])


def _reaching(text: str, world: World, broker: Broker) -> str:
    before = f'url = "{world.broker}"\n'
    assert before in text
    lines = {"url": broker.url, "username": broker.username, "password_file": broker.password_file}
    said = "".join(f'{name} = "{value}"\n' for name, value in lines.items())
    return text.replace(before, f"{said}keepalive_seconds = {broker.keepalive_seconds}\n")


def test_a_cluster_that_forgets_and_stays_split_costs_no_clip(tmp_path: Path) -> None:
    (tmp_path / "cluster").mkdir()
    with (
        server() as postgres,
        Cluster(tmp_path / "cluster") as cluster,
        agency(tmp_path / "agency", cluster, postgres.database()) as it,
    ):
        it.start()
        early = it.record()
        it.await_acknowledged()
        it.release(early[0])
        (leading,) = (number for number in POLICY_NODES if it.leads(number))
        standing_by = sum(POLICY_NODES) - leading

        cluster.kill(leading)  # and with it every session and all that it retained
        it.record()
        wait_until(lambda: it.leads(standing_by) > 0, "the other policy service to take the lead", _LONG)
        it.await_acknowledged()
        cluster.start(leading)
        cluster.await_up(leading)

        cluster.kill(DOCKS_NODE)
        it.record()
        it.await_taken_in()
        assert not it.acknowledged(), "nobody can have heard of these"
        cluster.start(DOCKS_NODE)
        cluster.await_up(DOCKS_NODE)
        it.await_acknowledged()

        cluster.part(DOCKS_NODE)
        late = it.record()
        it.await_taken_in()
        cluster.meet(DOCKS_NODE)
        assert not it.acknowledged(), "the dock's broker took them, and told nobody"
        for number in POLICY_NODES:  # what an administrator does about a cluster that stays split
            cluster.kill(number)
            cluster.start(number)
        for number in POLICY_NODES:
            cluster.await_up(number)
        it.await_acknowledged()
        it.release(late[0])

        for camera in it.cameras:
            wait_until(lambda camera=camera: bool(camera.harvest()) or not camera.pending, "its receipts")  # type: ignore[misc]
            assert not camera.pending
        assert it.known() == sorted(it.recorded) == sorted(it.states())
        assert sorted(it.states().values()) == ["locked"] * (len(it.recorded) - 2) + ["released"] * 2
        it.stage.check_alive()
