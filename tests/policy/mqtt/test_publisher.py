"""Publishing the outbox: in order, until the broker has taken each message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daemon.link import retry
from daemon.link.mqtt import Connected, Disconnected, Published
from daemon.policy.mqtt.publisher import PUBLISHER, OutboxPublisher
from daemon.policy.store.store import PolicyDatabase, open_store
from tests.kit.policy_fixture import policy_config


@dataclass
class Rig:
    """A publisher whose client notes what it is given, and numbers the messages."""

    store: PolicyDatabase
    publisher: OutboxPublisher
    sent: list[str] = field(default_factory=list)

    def take(self, topic: str, payload: bytes, *, retain: bool) -> int:
        """Stands in for the client's `publish`."""
        self.sent.append(topic)
        return len(self.sent)

    def enqueue(self, *topics: str) -> None:
        with self.store.transaction():
            for topic in topics:
                self.store.enqueue(topic, b"x", retain=False)

    @property
    def waiting(self) -> list[str]:
        return [topic for _, topic, *_ in self.store.waiting_messages(0, 100)]


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    config = policy_config(tmp_path)
    store = open_store(config)
    made = Rig(store, OutboxPublisher(config, store, lambda _: None, b"gone"))
    monkeypatch.setattr(made.publisher.client, "publish", made.take)
    yield made
    store.close()


def test_messages_are_sent_in_order_once_there_is_a_connection(rig: Rig) -> None:
    rig.enqueue("a", "b")
    rig.publisher.send()
    assert rig.sent == []
    rig.publisher.handle(Connected(PUBLISHER, None), 0.0)
    rig.publisher.send()
    rig.enqueue("c")
    rig.publisher.send()
    assert rig.sent == ["a", "b", "c"]


def test_a_message_stays_until_the_broker_has_taken_it(rig: Rig) -> None:
    rig.enqueue("a", "b")
    rig.publisher.handle(Connected(PUBLISHER, None), 0.0)
    rig.publisher.send()
    assert rig.waiting == ["a", "b"]
    rig.publisher.handle(Published(PUBLISHER, 1, None), 0.0)
    assert rig.waiting == ["b"]


def test_a_new_connection_begins_again_with_the_oldest(rig: Rig) -> None:
    rig.enqueue("a", "b")
    rig.publisher.handle(Connected(PUBLISHER, None), 0.0)
    rig.publisher.send()
    rig.publisher.handle(Published(PUBLISHER, 1, None), 0.0)
    rig.publisher.handle(Disconnected(PUBLISHER, "gone"), 1.0)
    assert not rig.publisher.connected
    rig.publisher.handle(Connected(PUBLISHER, None), 2.0)
    rig.publisher.send()
    assert rig.sent == ["a", "b", "b"]


def test_a_refused_message_is_sent_again_later(rig: Rig) -> None:
    rig.enqueue("a")
    rig.publisher.handle(Connected(PUBLISHER, None), 0.0)
    rig.publisher.send()
    rig.publisher.handle(Published(PUBLISHER, 1, "not authorized"), 10.0)
    for now, sent in ((10.0, 1), (10.0 + retry.RETRY_SECONDS, 2)):
        rig.publisher.tick(now)
        rig.publisher.send()
        assert len(rig.sent) == sent
    assert rig.waiting == ["a"]


def test_a_status_is_said_while_there_is_a_connection_and_not_kept(rig: Rig) -> None:
    rig.publisher.say_status(b"here")
    assert rig.sent == []
    rig.publisher.handle(Connected(PUBLISHER, None), 0.0)
    rig.publisher.say_status(b"here")
    assert rig.sent == ["bwc/v1/portland/policy/status"] and rig.waiting == []
    rig.publisher.handle(Published(PUBLISHER, 1, None), 0.0)  # the answer to it is nobody's message
    rig.enqueue("a")
    rig.publisher.send()
    assert rig.sent[1:] == ["a"]
