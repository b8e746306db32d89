"""How soon: from docking to the first notice, and from a signed release to `released` on MQTT, with a full store."""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.cli.demo.world import DOCK
from daemon.link.session import Session
from tests.benchmarks.stores import dock_with
from tests.kit.precinct import Precinct
from tests.kit.promise import Camera
from tests.system.test_bad_input import order

CLIPS, ROUNDS = 100_000, 50
SIZE = 10_000_000


def run() -> dict[str, Any]:
    """Seconds: docking to the locked notice of a 10 MB clip; release to `released`. 100,000 clips in the store."""
    with tempfile.TemporaryDirectory() as folder, dock_with(Path(folder), CLIPS) as precinct:
        camera = Camera(precinct.world, 0, random.Random(1))
        docking, releasing = [], []
        for number in range(ROUNDS):
            camera.undock()
            name = camera.record(SIZE if number < 10 else 10_000)
            with Session(precinct.broker, (precinct.topics.clip(DOCK, name),)) as session:
                started = time.perf_counter()
                camera.dock()
                notice = session.wait(lambda m: bool(m.payload), 60)
                assert notice is not None
                docking.append(time.perf_counter() - started)
                releasing.append(_release(precinct, session, json.loads(notice.payload)))
            camera.harvest()
        releasing.sort()
        return {
            "clips_in_store": CLIPS,
            "docking_to_notice_median_s": statistics.median(docking[:10]),
            "target_docking_s": 0.5,
            "release_median_s": statistics.median(releasing),
            "target_release_median_s": 0.05,
            "release_p99_s": releasing[int(len(releasing) * 0.99)],
            "target_release_p99_s": 0.2,
        }


def _release(precinct: Precinct, session: Session, notice: dict[str, Any]) -> float:
    clip = {"clip_id": notice["clip_id"], "sha256": notice["clip_sha256"]}
    data = order(precinct, clip, expires_at=datetime.now(UTC) + timedelta(hours=1))
    topic = precinct.topics.order(DOCK, notice["clip_id"])
    with Session(precinct.broker, ()) as sender:
        started = time.perf_counter()
        sender.publish(topic, data, retain=False)
        heard = session.wait(lambda m: json.loads(m.payload)["lock"]["state"] == "released", 30)
    assert heard is not None
    return time.perf_counter() - started
