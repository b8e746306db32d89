"""Subscriptions: what a service receives, what may wait for more of its kind, and when messages may have been lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.link.mqtt import Connected, Disconnected, LinkEvent, Published, Received
from daemon.model.config import PolicyConfig
from daemon.model.topics import Topics
from daemon.policy.mqtt.subscriptions import INBOX, SHARE, Subscriptions, can_wait, topic_filters
from daemon.runtime.mailbox import Reload
from tests.kit.agency import CLIP
from tests.kit.policy_fixture import policy_config

TOPICS = Topics("portland")


@pytest.fixture
def config(tmp_path: Path) -> PolicyConfig:
    return policy_config(tmp_path)


def received(topic: str) -> Received:
    return Received(INBOX, topic, b"{}", retained=False, mid=1, qos=1)


@pytest.mark.parametrize(
    ("event", "waits"),
    [
        (received(TOPICS.announcement("dock-1", CLIP)), True),
        (Published("policy", 1, None), True),
        (received(f"{TOPICS.root}/attestation/person-1/request/{'0' * 64}"), False),
        (received(f"{TOPICS.root}x/dock/dock-1/clip/{CLIP}"), False),
        (Connected(INBOX, None), False),
        (Reload(), False),
    ],
)
def test_what_docks_say_waits_for_more_and_what_people_ask_for_does_not(event: LinkEvent | Reload, waits: bool) -> None:
    assert can_wait(TOPICS, event) is waits


def test_a_service_alone_on_its_store_has_no_share(config: PolicyConfig) -> None:
    assert Subscriptions(config, TOPICS, lambda _: None, shared=False).clients == []
    [share] = Subscriptions(config, TOPICS, lambda _: None, shared=True).clients
    assert share.name == SHARE


def test_messages_may_be_lost_with_every_connection_of_the_share_but_the_first(config: PolicyConfig) -> None:
    subscriptions = Subscriptions(config, TOPICS, lambda _: None, shared=True)
    events: list[tuple[LinkEvent, bool, bool]] = [
        (Connected(SHARE, None), False, True),
        (Disconnected(SHARE, "gone"), False, False),
        (Connected(SHARE, None), True, True),
        (Connected(INBOX, None), False, True),
    ]
    assert not subscriptions.connected
    for now, (event, lost, connected) in enumerate(events):
        assert subscriptions.handle(event, now) is lost
        assert subscriptions.connected is connected


def test_new_notices_are_received_as_announcements_and_retained_ones_per_clip() -> None:
    assert set(topic_filters(TOPICS)) == {
        TOPICS.announcement("+", "+"),
        TOPICS.clip("+", "+"),
        TOPICS.attestation("+", "+", "+"),
        TOPICS.query("+", "+"),
    }
