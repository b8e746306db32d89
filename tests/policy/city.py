"""Several policy services as processes of their own, on one database and one broker; and a city that speaks to them:
docks that announce, people who attest and ask, each once.
"""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from daemon.cli.demo.stage import free_port
from daemon.link.mqtt import LinkEvent, MqttClient, Published, Received, Subscribed
from daemon.model import statements as st
from daemon.model import strict_json
from daemon.model.config import Broker, PolicyConfig, load_config
from daemon.model.topics import Topics
from daemon.policy.store.store import read_log
from daemon.seal import envelope as envelopes
from tests.kit import agency
from tests.kit.mosquitto import Mosquitto, debian
from tests.kit.policy_fixture import make_notice
from tests.kit.precinct import wait_until
from tests.policy.refusing import Refusing

TOPICS = Topics("portland")
KEEPALIVE = 2
SECONDS = 60.0
ROUTINE, DEADLY = "23-310001", "23-310002"
_LEADS = "this service leads from now on"


class Service:
    """One `bwc policy serve`."""

    def __init__(self, config: Path, log: Path) -> None:
        self.config, self._log = config, log
        self.port = load_config(PolicyConfig, config).metrics.address[1]  # type: ignore[index]
        self._process: subprocess.Popen[bytes] | None = None
        self._before = ""

    def start(self) -> None:
        self._before = self.words
        command = [sys.executable, "-m", "daemon.cli.main", "policy", "serve", "--config", str(self.config)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    @property
    def words(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def leads(self) -> bool:
        """Whether it has begun to lead since it was started."""
        return _LEADS in self.words[len(self._before) :]

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        code = self._process.wait(20)
        self._process = None
        return code

    def wait(self) -> int:
        """Until it ends by itself; returns its exit code."""
        assert self._process is not None
        return self._process.wait(SECONDS)

    def metric(self, name: str) -> float:
        """One of its metrics, summed over the labels; 0 while it serves none."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return 0.0
        return sum(float(line.split()[-1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


@dataclass
class City:
    """Everybody who is no policy service, behind one connection."""

    broker: Broker
    services: list[Service]
    mosquitto: Mosquitto
    orders: dict[str, set[str]] = field(default_factory=dict)
    """Request to the ids of orders that were published for it."""
    decisions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    answers: dict[str, bool] = field(default_factory=dict)
    through: int = 0
    asked: dict[str, str] = field(default_factory=dict)
    """Request to the digest of its attestation."""
    _sequence: int = 0

    def __post_init__(self) -> None:
        self._events: queue.SimpleQueue[LinkEvent] = queue.SimpleQueue()
        root = TOPICS.root
        heard = tuple(f"{root}/{what}" for what in ("order/+/+", "decision/+/+", "answer/+/+", "ack/+"))
        self._client = MqttClient(self.broker, "city", self._events.put, subscriptions=heard, session_seconds=3600)

    def connect(self) -> None:
        self._client.start()
        self.until(lambda event: isinstance(event, Subscribed), "the broker")

    def close(self) -> None:
        self._client.stop()

    # what the city says

    def announce(self, clips: list[str], incident: str) -> None:
        now = datetime.now(UTC)
        for clip_id in clips:
            self._sequence += 1
            notice = make_notice(clip_id, "dock-1", self._sequence, now, incidents=(incident,))
            data = strict_json.dump(notice.plain())
            self._publish(TOPICS.announcement("dock-1", clip_id), data, retain=False)
            # a dock would announce again what was lost on the way; here what is retained is whole as well
            self._publish(TOPICS.clip("dock-1", clip_id), data)

    def classify(self, force: str, incident: str) -> str:
        now = datetime.now(UTC)
        times = {"occurred_at": now - timedelta(hours=2), "classified_at": now}
        involved = ("officer",) if force != "none" else ()
        fields: dict[str, Any] = {"incident_id": incident, "force": force, "involved": involved}
        return self._attest(
            st.Classification.model_validate({"in_custody_death": False} | fields | times), "supervisor"
        )

    def ask(self, clip_id: str) -> str:
        request = st.Request(
            request_id=str(uuid.uuid4()), clip_id=clip_id, purpose="report", requested_at=datetime.now(UTC)
        )
        self.asked[request.request_id] = self._attest(request, "officer")
        return request.request_id

    def _attest(self, statement: st.Statement, person: str) -> str:
        envelope = agency.signed(statement, person)
        self._publish(TOPICS.attestation(person, statement.kind, envelope.digest), envelope.to_bytes())
        return envelope.digest

    def _publish(self, topic: str, payload: bytes, *, retain: bool = True) -> None:
        """Returns once the broker has it: what it confirmed nobody says again."""
        mid = self._client.publish(topic, payload, retain=retain)
        self.until(lambda event: isinstance(event, Published) and event.mid == mid, f"the broker to take {topic}")

    # what it hears

    def until(self, wanted: Callable[[LinkEvent], bool], what: str, seconds: float = SECONDS) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                event = self._events.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"waited {seconds} s in vain for {what}: {self._words()}") from None
            if isinstance(event, Received):
                self._client.ack(event)
                self._heard(event)
            if wanted(event):
                return

    def await_state(self, reached: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
        """Listens until what was heard is as wanted."""
        if not reached():
            self.until(lambda _: reached(), what, seconds)

    def _heard(self, message: Received) -> None:
        if not message.payload:
            return
        match TOPICS.split(message.topic):
            case ("order", _, _):
                release = envelopes.parse(message.payload, what="order").statement(st.Release)
                self.orders.setdefault(release.request_id, set()).add(release.order_id)
            case ("decision", _, request_id):
                self.decisions.setdefault(request_id, []).append(json.loads(message.payload))
            case ("answer", _, digest):
                self.answers[digest] = json.loads(message.payload)["accepted"]
            case ("ack", _):
                ack = envelopes.parse(message.payload, what="ack").statement(st.Acknowledgement)
                self.through = max(self.through, ack.through)
            case other:
                raise AssertionError(other)

    def _words(self) -> str:
        return "\n".join(f"{one.config.name}: {one.words[-1500:]}" for one in self.services)

    # who leads

    def leader(self) -> Service:
        """The service that leads; waits for one."""
        found: list[Service] = []

        def leads() -> bool:
            found.extend(service for service in self.services if service.alive and service.leads)
            return bool(found)

        wait_until(leads, "a leader")
        return found[-1]

    def others(self) -> list[Service]:
        leader = self.leader()
        return [service for service in self.services if service is not leader and service.alive]

    def await_shares(self) -> None:
        """Until the leader has ceased to listen to everything: from then on each service hears its share alone."""

        def done() -> bool:
            asked = re.findall(
                r"Received (SUBSCRIBE|UNSUBSCRIBE) from portland-policy-inbox$", self.mosquitto.log, re.M
            )
            return asked[-1:] == ["UNSUBSCRIBE"]

        wait_until(done, "the leader to hear its share alone")

    def await_idle(self, times: int) -> None:
        """Until the leader's inbox had nothing to say for so many keepalives."""

        def pings() -> int:
            return self.mosquitto.log.count("Received PINGREQ from portland-policy-inbox")

        before = pings()
        wait_until(lambda: pings() >= before + times, "the inbox to be idle")

    # what is on record

    def log(self) -> list[dict[str, Any]]:
        config = load_config(PolicyConfig, self.services[0].config)
        with read_log(config, "bwc/portland/policy", "policy") as found:
            return [json.loads(line) for line in found.lines()]

    def check_each_was_decided_once(self, released: list[str], refused: list[str]) -> None:
        """Requests: what is on record, what was published, and who was told what."""
        entries: dict[str, list[dict[str, Any]]] = {}
        for entry in self.log():
            if entry["action"] in {"released", "decided", "revoked"}:
                entries.setdefault(entry["attestations"][0], []).append(entry)
        assert set(entries) == {self.asked[request] for request in (*released, *refused)}
        for request in released:
            (entry,) = entries[self.asked[request]]
            assert entry["action"] == "released", entry
            assert self.orders[request] == {entry["detail"]["order_id"]}
        for request in refused:
            (entry,) = entries[self.asked[request]]
            assert entry["action"] == "decided" and request not in self.orders, entry
        for request in (*released, *refused):
            said = {json.dumps(decision, sort_keys=True) for decision in self.decisions[request]}
            assert len(said) == 1, said


def write_agency(folder: Path, broker: str, store: str, services: int) -> list[Path]:
    """Keys, trust, and a configuration for each service; returns the configurations."""
    (folder / "trust.json").write_bytes(agency.trust_bytes())
    (folder / "root.pem").write_text(agency.sign_pem("root"))
    for use, key in (("sign", agency.sign_key("policy")), ("open", agency.open_key("policy"))):
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / f"{use}.pem").write_bytes(pem)
        (folder / f"{use}.pem").chmod(0o600)
    made = []
    for number in range(services):
        made.append(folder / f"policy-{number}.toml")
        made[-1].write_text(
            f'agency = "portland"\nstate = "state-{number}"\nsign_key = "sign.pem"\nopen_key = "open.pem"\n'
            f'[trust]\nfile = "trust.json"\nroot = "root.pem"\n[store]\nurl = "{store}"\n'
            f'[metrics]\nlisten = "127.0.0.1:{free_port()}"\n'
            f'[broker]\nurl = "{broker}"\nkeepalive_seconds = {KEEPALIVE}\n'
        )
    return made


@contextmanager
def city(
    folder: Path, store: str, behind: Callable[[int], AbstractContextManager[Refusing]] | None = None
) -> Iterator[City]:
    """Everything made for two services, none started; the broker up. `behind`: what stands between it and everybody."""
    with ExitStack() as stack:
        mosquitto = stack.enter_context(open_broker(folder))
        port = stack.enter_context(behind(mosquitto.port)).port if behind else mosquitto.port
        url = f"mqtt://127.0.0.1:{port}"
        made = City(
            Broker(url=url, keepalive_seconds=KEEPALIVE),
            [Service(config, folder / f"{config.stem}.log") for config in write_agency(folder, url, store, 2)],
            mosquitto,
        )
        made.connect()
        stack.callback(made.close)
        try:
            yield made
        finally:
            for service in made.services:
                if service.alive:
                    os.kill(service.pid, signal.SIGKILL)
                    service.wait()


def open_broker(folder: Path) -> Mosquitto:
    """Mosquitto for everybody on this machine."""
    port = free_port()
    text = f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 100000000\nmax_inflight_messages 20\n"
    return Mosquitto(folder, debian(folder, text), port)
