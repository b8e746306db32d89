"""Leading on a store of one's own: a leader catches up before anything is decided."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.link.mqtt import Connected, Disconnected, Received
from daemon.model.topics import Topics
from daemon.policy.mqtt.catch_up import LONGEST, QUIET
from daemon.policy.mqtt.leadership import Leadership
from daemon.policy.mqtt.publisher import PUBLISHER
from daemon.policy.mqtt.subscriptions import INBOX
from daemon.policy.rules.regime import bundled
from daemon.policy.store.store import PolicyDatabase, open_store
from tests.kit.policy_fixture import policy_config

TOPICS = Topics("portland")
REQUEST = Received(INBOX, TOPICS.attestation("51234", "request", "d"), b"x", retained=False, mid=1, qos=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PolicyDatabase]:
    store = open_store(policy_config(tmp_path), serve=True)
    yield store
    store.close()


@pytest.fixture
def leadership(tmp_path: Path, store: PolicyDatabase) -> Iterator[Leadership]:
    """A service that has just begun to lead, at 0.0. No broker answers it: tests say what one would."""
    made = Leadership(
        policy_config(tmp_path),
        store,
        bundled("portland-negotiated-2023"),
        lambda _: None,
        0.0,
        offline=lambda: b"gone",
    )
    with store.transaction():
        made.update(0.0)
    yield made
    made.stop()


def catching_up(leadership: Leadership) -> bool:
    return leadership.catching_up


def test_a_service_alone_leads_and_catches_up(leadership: Leadership, store: PolicyDatabase) -> None:
    assert (leadership.leads, catching_up(leadership), leadership.connected) == (True, True, False)
    assert {client.name for client in leadership.clients} == {PUBLISHER, INBOX}
    with store.transaction():
        leadership.handle(Connected(PUBLISHER, None), 1.0)
        leadership.handle(Connected(INBOX, None), 1.0)
        assert leadership.connected
        assert leadership.defer(REQUEST, 1.0)
        leadership.tick(1.0 + QUIET / 2)
        assert catching_up(leadership)
        leadership.tick(1.0 + QUIET)
        assert not catching_up(leadership)
        assert leadership.take_deferred() == [REQUEST]
        assert not leadership.defer(REQUEST, 4.0)
    with store.transaction():
        leadership.update(5.0)
    assert not catching_up(leadership)


def test_each_connection_of_the_inbox_has_it_catch_up_again(leadership: Leadership, store: PolicyDatabase) -> None:
    with store.transaction():
        leadership.handle(Connected(INBOX, None), 1.0)
        leadership.tick(1.0 + QUIET)
        leadership.handle(Disconnected(INBOX, "gone"), 10.0)
        assert not catching_up(leadership)
        leadership.handle(Connected(INBOX, None), 11.0)
        assert catching_up(leadership)


def test_without_a_broker_it_decides_after_a_while(leadership: Leadership, store: PolicyDatabase) -> None:
    with store.transaction():
        leadership.tick(LONGEST - 1)
        assert catching_up(leadership)
        leadership.tick(LONGEST)
        assert not catching_up(leadership)
    assert leadership.leads, "there is no other service to lead"
