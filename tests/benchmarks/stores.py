"""Docks with a long history, made at once: rows in the store and in custody, without the clips' files."""

from __future__ import annotations

import hashlib
import queue
import random
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon.cli.demo import world as worlds
from daemon.cli.demo.stage import BWC, Stage, free_port
from daemon.cli.demo.world import DOCK, World
from daemon.core.lifecycle import State
from daemon.custody.log import CustodyLog, NewEntry
from daemon.dock.context import DockContext
from daemon.dock.inbox import router
from daemon.dock.opening import open_dock
from daemon.dock.store.rows import HeldClip
from daemon.dock.upkeep.custody_copies import CustodyFiles
from daemon.link.mqtt import LinkEvent, MqttClient, Subscribed
from daemon.link.session import Session
from daemon.model.clock import SystemClock
from daemon.model.config import Broker, DockConfig, load_config
from daemon.model.custody_actions import CustodyAction
from daemon.model.times import format_instant
from tests.kit.precinct import Precinct

_START = datetime(2020, 1, 1, tzinfo=UTC)
_A_TRANSACTION = 10_000


def make_world(root: Path) -> tuple[World, DockConfig]:
    """A small agency, and its dock's configuration."""
    world = worlds.make(root, free_port())
    return world, load_config(DockConfig, world.config / "dock.toml")


def fill(config: DockConfig, clips: int) -> None:
    """So many clips taken in, announced and acknowledged long ago; an entry in custody each."""
    dock = open_dock(config, SystemClock())
    rng = random.Random(clips)
    for start in range(0, clips, _A_TRANSACTION):
        with dock.store.transaction():
            for number in range(start, min(clips, start + _A_TRANSACTION)):
                _add(dock, number, rng)
    with dock.store.transaction():
        for key, value in (("sequence", clips), ("through", clips), ("announced", clips), ("custody_sent", clips)):
            dock.store.set(key, str(value))
        dock.store.set("custody_settled", str(clips))
        dock.store.set("scrubbed_at", format_instant(datetime.now(UTC)))
        dock.store.set("recipients", dock.trust.get().policy_keyid())
    CustodyFiles(dock.vault, dock.custody, dock.sign_key).follow()
    dock.store.close()


def _add(dock: DockContext, number: int, rng: random.Random) -> None:
    clip_id = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    at = _START + timedelta(seconds=90 * number)
    digest = hashlib.sha256(clip_id.encode()).hexdigest()
    times = [format_instant(at + timedelta(seconds=after)) for after in (0, 10, 60, 300)]
    row = HeldClip(
        clip_id=clip_id,
        state=State.LOCKED,
        integrity="verified",
        bay="bay-1",
        camera_serial=f"cam-{number % 800}",
        officer_id=str(50_000 + number % 800),
        stem=clip_id,
        footage=f"{number} 0 0",
        capture_sha256=digest,
        clip_sha256=digest,
        sealed_sha256=digest,
        sealed_bytes=150_000_000,
        skew=0.0,
        started_at=times[0],
        triggered_at=times[1],
        stopped_at=times[2],
        ingested_at=times[3],
        tag_revision=1,
        activation=digest,
        dispatch_due=None,
        sequence=number + 1,
        receipted=True,
        erased=True,
    )
    dock.store.add_clips([row])
    detail = {"bay": "bay-1", "camera_serial": f"cam-{number % 800}", "clip_sha256": digest, "sealed_sha256": digest}
    dock.custody.append(NewEntry(CustodyAction.INGESTED, clip_id, detail, (digest, digest)), at)


@contextmanager
def dock_with(root: Path, clips: int) -> Iterator[Precinct]:
    """A running dock with so many clips behind it, and a broker that knows it; no policy service."""
    world, config = make_world(root)
    fill(config, clips)
    with Stage(world) as stage:
        stage.start("broker", sys.executable, "-m", "daemon.cli.demo.broker", str(world.port))
        stage.wait_for_port(world.port)
        _be_known(config)
        stage.start("dock", *BWC, "dock", "run", "--config", str(world.config / "dock.toml"))
        precinct = Precinct(world, stage)
        with Session(Broker(url=world.broker), (precinct.topics.status(DOCK),)) as session:
            assert session.wait(lambda m: b"online" in m.payload, 60), "the dock starts"
        yield precinct


def _be_known(config: DockConfig) -> None:
    """The broker holds a session of the dock's: it has not forgotten what it retains."""
    dock = open_dock(config, SystemClock())
    topics = router.subscriptions(dock)
    dock.store.close()
    events: queue.SimpleQueue[LinkEvent] = queue.SimpleQueue()
    name = f"{config.agency}-{config.dock_id}-inbox"
    client = MqttClient(config.broker, name, events.put, subscriptions=topics, session_seconds=3600)
    client.start()
    while not isinstance(events.get(timeout=90), Subscribed):
        pass
    client.stop()


def custody_of(config: DockConfig) -> CustodyLog:
    """The log in a dock's database, for whoever measures it."""
    return open_dock(config, SystemClock()).custody
