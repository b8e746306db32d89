"""The outbox on either database: order, retained topics, and what is sent once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.policy.store.store import PolicyDatabase, open_store
from tests.kit.policy_fixture import policy_config


@pytest.fixture
def store(tmp_path: Path, store_url: str) -> Iterator[PolicyDatabase]:
    store = open_store(policy_config(tmp_path, store={"url": store_url}))
    yield store
    store.close()


def test_messages_wait_in_their_order_until_they_are_removed(store: PolicyDatabase) -> None:
    with store.transaction():
        for topic in ("a", "b", "a"):
            store.enqueue(topic, topic.encode(), retain=False)
    waiting = store.waiting_messages(0, 10)
    assert [(topic, payload, retain) for _, topic, payload, retain in waiting] == [
        ("a", b"a", False),
        ("b", b"b", False),
        ("a", b"a", False),
    ]
    assert store.waiting_messages(0, 1) == waiting[:1]
    assert store.waiting_messages(waiting[0][0], 10) == waiting[1:]
    with store.transaction():
        store.remove_message(waiting[1][0])
    assert store.waiting_messages(0, 10) == [waiting[0], waiting[2]]


def test_a_retained_topic_keeps_only_its_newest_message(store: PolicyDatabase) -> None:
    with store.transaction():
        store.enqueue("a", b"1", retain=True)
        store.enqueue("a", b"2", retain=False)
        store.enqueue("a", b"3", retain=True)
    assert [payload for _, _, payload, _ in store.waiting_messages(0, 10)] == [b"2", b"3"]


def test_the_same_message_can_wait_only_once(store: PolicyDatabase) -> None:
    with store.transaction():
        for payload in (b"1", b"1", b"2"):
            store.enqueue_once("a", payload)
    assert [payload for _, _, payload, _ in store.waiting_messages(0, 10)] == [b"1", b"2"]
