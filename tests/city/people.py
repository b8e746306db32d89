"""What people of the city do over MQTT: a supervisor classifies, officers ask for footage; and what all can hear."""

from __future__ import annotations

import ctypes
import json
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.link.mqtt import LinkEvent, MqttClient, Received
from daemon.link.session import Session
from daemon.model import statements as st
from daemon.model.config import Broker
from daemon.model.topics import Topics
from daemon.seal import envelope as envelopes
from daemon.seal.private_keys import load_sign_key
from tests.city.agency import AGENCY, SUPERVISOR, City

_NETWORK = 0x40000000  # CLONE_NEWNET, setns(2)


@contextmanager
def on(space: str) -> Iterator[None]:
    """This thread, and every thread and process it starts meanwhile, is on that host."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    other = os.open(f"/run/netns/{space}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(other)
        try:
            yield
        finally:
            _enter(own)
    finally:
        os.close(own)
        os.close(other)


def _enter(space: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(space, _NETWORK):
        raise OSError(ctypes.get_errno(), "cannot enter a network namespace")


def reach(city: City, role: str, owner: str) -> Broker:
    tls = city.tls(role, owner)
    return Broker(url=city.broker, ca=tls["ca"], certificate=tls["cert"], key=tls["tls-key"], keepalive_seconds=10)


class Ears:
    """Hears every notice and every dock's status, and keeps the newest of each topic."""

    def __init__(self, city: City) -> None:
        self._topics = topics = Topics(AGENCY)
        self._lock = threading.Lock()
        self._notices: dict[str, dict[str, Any]] = {}
        self._statuses: dict[str, dict[str, Any]] = {}
        heard = (topics.clip("+", "+"), topics.status("+"))
        self._client = MqttClient(reach(city, "board", "city"), "city-ears", self._hear, subscriptions=heard)
        self._client.start()

    def close(self) -> None:
        self._client.stop()

    def _hear(self, event: LinkEvent) -> None:
        if not isinstance(event, Received):
            return
        self._client.ack(event)
        if event.payload:
            document = json.loads(event.payload)
            levels = self._topics.split(event.topic)
            with self._lock:
                if levels[2] == "status":
                    self._statuses[levels[1]] = document
                elif document["sequence"] >= self._notices.get(levels[3], document)["sequence"]:
                    self._notices[levels[3]] = document

    def notices(self) -> dict[str, dict[str, Any]]:
        """By clip."""
        with self._lock:
            return dict(self._notices)

    def online(self) -> set[str]:
        with self._lock:
            return {dock for dock, said in self._statuses.items() if said["state"] == "online"}

    def settled(self) -> set[str]:
        """Docks whose every notice the policy service has acknowledged."""
        with self._lock:
            return {d for d, said in self._statuses.items() if said["state"] == "online" and not said["backlog"]}

    def replicated(self) -> set[str]:
        """Docks that have nothing left to copy into the object store."""
        with self._lock:
            return {d for d, said in self._statuses.items() if said["state"] == "online" and not said["unreplicated"]}


def classify(city: City, incidents: dict[str, tuple[str, ...]]) -> None:
    """All of them without force; each names clips that dispatch knows nothing of."""
    now = datetime.now(UTC)
    said = [
        st.Classification(
            incident_id=incident,
            clip_ids=clips,
            force="none",
            in_custody_death=False,
            occurred_at=now - timedelta(days=2),
            classified_at=now,
        )
        for incident, clips in incidents.items()
    ]
    _publish(city, SUPERVISOR, said)


def ask(city: City, clips: dict[str, str]) -> None:
    """Each clip, by the officer who wore its camera."""
    now = datetime.now(UTC)
    for clip, officer in clips.items():
        request = st.Request(request_id=str(uuid.uuid4()), clip_id=clip, purpose="report", requested_at=now)
        _publish(city, officer, [request])


def _publish(city: City, person: str, statements: list[Any]) -> None:
    key, topics = load_sign_key(city.keys / f"{person}.sign.pem"), Topics(AGENCY)
    with Session(reach(city, "person", person), ()) as session:
        for statement in statements:
            envelope = envelopes.sign(statement, key)
            topic = topics.attestation(person, statement.kind, envelope.digest)
            session.publish(topic, envelope.to_bytes(), retain=True, keep_seconds=3600)


def read(path: Path) -> Any:
    return json.loads(path.read_bytes())
