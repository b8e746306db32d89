"""A precinct for tests: the demo's world and processes, with a few lines to dock cameras, ask, and look."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.cli.demo import world as worlds
from daemon.cli.demo.stage import SIM, Stage, free_port
from daemon.cli.demo.world import AGENCY, CAMERAS, DOCK, World
from daemon.link.mqtt import Received
from daemon.link.session import Session
from daemon.model.config import Broker
from daemon.model.topics import Topics
from tests.kit.patience import PATIENCE

CAMERA, OFFICER = "cam-0001", "51234"


@dataclass
class Precinct:
    """A running dock and policy service."""

    world: World
    stage: Stage

    @property
    def topics(self) -> Topics:
        return Topics(AGENCY)

    @property
    def broker(self) -> Broker:
        return Broker(url=self.world.broker)

    def camera(self, bay: str, *options: str, serial: str = CAMERA, officer: str = OFFICER) -> subprocess.Popen[str]:
        """A simulated camera docking in `bay`; its memory is the bay's own."""
        world = self.world
        return self.stage.begin(
            *SIM,
            "camera",
            *("--mounts", str(world.mounts), "--bay", bay, "--serial", serial, "--officer", officer, "--json"),
            *("--key", str(world.key(serial, "sign")), "--dock-key", str(world.key(DOCK, "sign", public=True))),
            *("--store", str(world.root / "cameras" / bay), "--keep-footage", str(world.root / "recorded")),
            *options,
        )

    def dock_camera(self, bay: str, *options: str, expect: int = 0, **who: str) -> dict[str, Any]:
        """Runs a camera to its end; returns its JSON."""
        ran = self.stage.finish(self.camera(bay, *options, **who))
        assert ran.code == expect, ran.words
        document: dict[str, Any] = ran.document
        return document

    def custody(self, **wanted: str) -> list[dict[str, Any]]:
        """The dock's log so far: entries whose fields (or details) have the wanted values."""
        command = ("custody", "log", "--config", str(self.world.config / "dock.toml"))
        ran = subprocess.run([*BWC_PLAIN, *command], capture_output=True, text=True, check=True)
        entries = [json.loads(line) for line in ran.stdout.splitlines()]
        return [e for e in entries if all((e | e["detail"]).get(name) == value for name, value in wanted.items())]

    def await_custody(self, seconds: float = PATIENCE, **wanted: str) -> dict[str, Any]:
        """The first such entry, waited for."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found[:] = self.custody(**wanted)
            return bool(found)

        wait_until(is_there, f"custody {wanted}", seconds)
        return found[0]

    def notice(self, clip_id: str, wanted: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """The clip's notice, once it is as wanted."""
        topic = self.topics.clip(DOCK, clip_id)
        with Session(self.broker, (topic,)) as session:
            message = session.wait(lambda m: wanted(json.loads(m.payload)), PATIENCE)
        assert message is not None, f"no such notice of {clip_id}"
        document: dict[str, Any] = json.loads(message.payload)
        return document

    def bay(self, bay: str, state: str, wanted: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """The bay's standing, once it is in `state` and as wanted."""

        def reached(message: Received) -> bool:
            standing = json.loads(message.payload)
            return standing["state"] == state and wanted(standing)

        with Session(self.broker, (self.topics.bay(DOCK, bay),)) as session:
            message = session.wait(reached, PATIENCE)
        assert message is not None, f"bay {bay} never became {state}"
        document: dict[str, Any] = json.loads(message.payload)
        return document

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        with Session(self.broker, ()) as session:
            session.publish(topic, payload, retain=retain)


BWC_PLAIN = (sys.executable, "-m", "daemon.cli.main")


def wait_until(done: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Polls for something that announces itself nowhere."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"waited {seconds} s in vain for {what}"
        time.sleep(0.05)


@contextmanager
def running(
    root: Path,
    more: str = "",
    before: Callable[[World], None] = lambda _: None,
    cameras: dict[str, str] = CAMERAS,
    **ingest: object,
) -> Iterator[Precinct]:
    """A precinct in `root`; `ingest` are further settings of the dock's [ingest] section, `more` is further TOML.

    `before` is called with the world before anything starts.
    """
    world = worlds.make(root, free_port(), cameras)
    before(world)
    settings = world.config / "dock.toml"
    lines = "".join(f"{name} = {value}\n" for name, value in ingest.items())
    settings.write_text(settings.read_text() + lines + more)
    with Stage(world) as stage:
        stage.start_services()
        precinct = Precinct(world, stage)
        with Session(precinct.broker, (precinct.topics.status(DOCK),)) as session:
            online = session.wait(lambda m: json.loads(m.payload)["state"] == "online", PATIENCE)
        stage.check_alive()
        assert online is not None
        yield precinct
