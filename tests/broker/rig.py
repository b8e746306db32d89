"""One agency on a real Mosquitto with the shipped configuration, whose parts can be taken away and given back:
a dock and a policy service as processes of their own, each behind its own piece of network; cameras; people who insist.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.cli.demo.world import AGENCY, DOCK, PEOPLE, SUPERVISOR, World
from daemon.cli.setup.broker_files import BrokerFiles
from daemon.link.session import Session
from daemon.model import statements as st
from daemon.model.config import Broker
from daemon.model.documents import Answer
from daemon.model.errors import UnavailableError
from daemon.model.parse import parse_model
from daemon.model.topics import Topics
from daemon.seal import envelope as envelopes
from daemon.seal.envelope import Envelope
from daemon.seal.private_keys import load_sign_key
from tests.broker.caller import Caller
from tests.kit.mosquitto import Mosquitto, shipped
from tests.kit.patience import PATIENCE
from tests.kit.promise import ROOT, Camera, Nursery, alive, group, make_world, until
from tests.kit.proxy import Proxy

TOPICS = Topics(AGENCY)
KEEPALIVE = 3


class Processes(Nursery):
    """The nursery that forks policy services too."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.broker.nursery"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, what: str, world: World) -> int:
        """Starts a dock or a policy service; returns its pid once it serves."""
        ready = world.root / f"{what}.ready"
        ready.unlink(missing_ok=True)
        config, log = world.config / f"{what}.toml", world.logs / f"{what}.log"
        pid = self.ask(do=what, config=str(config), log=str(log), ready=str(ready))
        up = until(lambda: ready.exists() or not alive(pid), 20, 0.01)
        assert up and ready.exists(), f"the {what} does not start: {log.read_text()[-1500:]}"
        return pid


@dataclass
class Rig:
    """Everything of one scenario."""

    world: World
    setup: Path
    mosquitto: Mosquitto
    processes: Processes
    networks: dict[str, Proxy]
    rng: random.Random
    running: dict[str, int] = field(default_factory=dict)
    said: dict[str, Envelope] = field(default_factory=dict)
    """What people attested, by who and digest, and were not answered yet."""
    answered: dict[str, Envelope] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    """Clips that were classified and asked for, and by whom."""
    withdrawn: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.cameras = [Camera(self.world, number, self.rng) for number in (0, 1)]

    # processes

    def start(self, *names: str) -> None:
        for name in names:
            self.running[name] = self.processes.start(name, self.world)

    def end(self, name: str, number: int = signal.SIGTERM) -> None:
        """Ends a process, and all it started."""
        pid = self.running.pop(name)
        if number == signal.SIGKILL:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, number)
        code = self.processes.wait(pid)
        assert number == signal.SIGKILL or code == 0, f"{name} ended with {code}: {self.words(name)}"
        until(lambda: not group(pid), 10, 0.01)

    def kill(self, name: str) -> None:
        self.end(name, signal.SIGKILL)

    def words(self, name: str) -> str:
        return (self.world.logs / f"{name}.log").read_text(errors="replace")[-1500:]

    # the broker, and the way to it

    def broker(self, role: str, owner: str, port: int | None = None) -> Broker:
        """How this owner reaches it."""
        pair = self.setup / "clients" / role / owner
        return Broker(
            url=f"mqtts://localhost:{port or self.mosquitto.port}",
            ca=self.setup / "ca.pem",
            certificate=Path(f"{pair}.pem"),
            key=Path(f"{pair}.key"),
            keepalive_seconds=KEEPALIVE,
        )

    def configure(self) -> None:
        for name, owner in (("dock", DOCK), ("policy", "policy")):
            said = self.broker(name, owner, self.networks[name].port)
            lines = {"url": said.url, "ca": said.ca, "certificate": said.certificate, "key": said.key}
            text = "".join(f'{key} = "{value}"\n' for key, value in lines.items())
            path = self.world.config / f"{name}.toml"
            before = f'url = "{self.world.broker}"\n'
            assert before in path.read_text()
            path.write_text(path.read_text().replace(before, f"{text}keepalive_seconds = {KEEPALIVE}\n"))

    def caller(self, role: str, owner: str, **options: Any) -> Caller:
        """Any other client, with this owner's certificate."""
        return Caller(self.mosquitto.port, self.setup / "ca.pem", self.setup / "clients" / role / owner, **options)

    @contextlib.contextmanager
    def denied(self, *rules: str) -> Iterator[None]:
        """Without these rules of the access list (parts of its lines), for a while."""
        path = self.setup / "broker" / "bwc.acl"
        whole = path.read_text()
        left = [line for line in whole.splitlines() if not any(rule in line for rule in rules)]
        assert len(left) < len(whole.splitlines()), rules
        path.write_text("\n".join(left) + "\n")
        self.mosquitto.reload()
        try:
            yield
        finally:
            path.write_text(whole)
            self.mosquitto.reload()

    @contextlib.contextmanager
    def limited(self, line: str) -> Iterator[None]:
        """The broker with another setting, restarted before and after."""
        path = self.mosquitto.folder / "conf.d" / "bwc.conf"
        whole, name = path.read_text(), line.split()[0]
        others = [old for old in whole.splitlines() if not old.startswith(f"{name} ")]
        self.mosquitto.stop()
        path.write_text("\n".join([*others, line]) + "\n")
        self.mosquitto.start()
        try:
            yield
        finally:
            self.mosquitto.stop()
            path.write_text(whole)
            self.mosquitto.start()

    # what happens in a precinct

    def record(self, clips: int, size: int = 3000) -> list[str]:
        """New clips on each camera."""
        return [camera.record(size) for camera in self.cameras for _ in range(clips)]

    def harvest(self) -> None:
        for camera in self.cameras:
            camera.harvest()

    @property
    def recorded(self) -> set[str]:
        return {name for camera in self.cameras for name in camera.recorded}

    def taken_in(self, seconds: float = 30) -> None:
        """Waits until the dock has committed every clip recorded so far, receipt or not."""
        wanted = self.recorded
        found = until(lambda: wanted <= {row["clip_id"] for row in self.dock_rows("clip")}, seconds, 0.05)
        assert found, f"the dock takes nothing in: {self.words('dock')}"

    def attest(self, person_id: str, statement: st.Statement) -> str:
        """Says something, and goes on saying it in `insist` until it is answered."""
        envelope = envelopes.sign(statement, load_sign_key(self.world.key(person_id, "sign")))
        self.said[f"{person_id} {envelope.digest}"] = envelope
        return envelope.digest

    def ask_for(self, clip_id: str) -> None:
        """A supervisor classifies the clip, and its officer asks for it."""
        officer = next(camera.officer for camera in self.cameras if clip_id in camera.recorded)
        now = datetime.now(UTC)
        self.attest(SUPERVISOR.person_id, classification(clip_id, now))
        request = st.Request(request_id=str(uuid.uuid4()), clip_id=clip_id, purpose="report", requested_at=now)
        self.attest(officer, request)
        self.asked[clip_id] = officer

    def insist(self, seconds: float = 2.0) -> None:
        """Tries once to have everything heard that was not answered, as people do whose command said so."""
        for name, envelope in list(self.said.items()):
            person_id = name.split()[0]
            answer = TOPICS.answer(person_id, envelope.digest)
            try:
                with Session(self.broker("person", person_id), (answer,), seconds) as session:
                    topic = TOPICS.attestation(person_id, envelope.kind, envelope.digest)
                    session.publish(topic, envelope.to_bytes(), retain=True, keep_seconds=3600)
                    message = session.wait(lambda received: True, seconds)
            except UnavailableError:
                return
            if message is not None and parse_model(Answer, message.payload, what="answer").accepted:
                self.answered[name] = self.said.pop(name)

    # what the databases say

    def dock_rows(self, table: str) -> list[dict[str, Any]]:
        return rows(self.world.root / "disk" / "state" / "dock.sqlite", table)

    def policy_rows(self, table: str) -> list[dict[str, Any]]:
        return rows(self.policy_state, table)

    @property
    def policy_state(self) -> Path:
        return self.world.root / "state" / "policy" / "policy.sqlite"

    def watch_order(self) -> None:
        """Has the policy service's own database note every notice as it is stored, in order."""
        with contextlib.closing(sqlite3.connect(self.policy_state, timeout=PATIENCE)) as db:
            db.executescript(
                "CREATE TABLE IF NOT EXISTS noted (id INTEGER PRIMARY KEY, clip_id TEXT, sequence INTEGER);"
                "CREATE TRIGGER IF NOT EXISTS note AFTER INSERT ON clip"
                " BEGIN INSERT INTO noted (clip_id, sequence) VALUES (new.clip_id, new.sequence); END;"
            )

    def back_up(self) -> Path:
        """A copy of the policy service's database, as of now."""
        copy = self.world.root / "backup.sqlite"
        with (
            contextlib.closing(sqlite3.connect(self.policy_state, timeout=PATIENCE)) as source,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        return copy

    def restore(self, copy: Path | None) -> None:
        """The policy service, ended, with the database of a backup (or none at all)."""
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.policy_state}{suffix}").unlink(missing_ok=True)
        if copy is not None:
            self.policy_state.write_bytes(copy.read_bytes())


def classification(clip_id: str, now: datetime) -> st.Classification:
    return st.Classification(
        incident_id=f"of-{clip_id}",
        clip_ids=(clip_id,),
        force="none",
        in_custody_death=False,
        involved=(),
        witnesses=(),
        occurred_at=now - timedelta(days=1),
        classified_at=now,
    )


def rows(path: Path, table: str) -> list[dict[str, Any]]:
    """A table of a running service's database; nothing while it has none."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=PATIENCE)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(f"SELECT * FROM {table}")]
    except sqlite3.OperationalError:
        return []


@contextlib.contextmanager
def rig(root: Path, processes: Processes, seed: int) -> Iterator[Rig]:
    """Everything made and configured; only Mosquitto runs."""
    disk = root / "disk"
    disk.mkdir(parents=True)
    world = make_world(root, 1, disk)
    owners = {("dock", DOCK), ("policy", "policy")} | {("person", person.person_id) for person in PEOPLE}
    files = BrokerFiles(root / "setup", AGENCY, datetime.now(UTC))
    files.make(["localhost", "127.0.0.1"], owners | {("board", "room"), ("witness", "auditor")})
    files.write_access(None)
    with (
        shipped(root / "mosquitto", root / "setup" / "broker") as mosquitto,
        Proxy(mosquitto.port) as dock,
        Proxy(mosquitto.port) as policy,
    ):
        made = Rig(world, root / "setup", mosquitto, processes, {"dock": dock, "policy": policy}, random.Random(seed))
        made.configure()
        try:
            yield made
        finally:
            for name in list(made.running):
                made.kill(name)
