"""What the policy service lets wait for more of its kind, and what ends that at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.cli.demo import world as worlds
from daemon.link.mqtt import LinkEvent, Published, Received
from daemon.model.clock import SystemClock
from daemon.model.config import PolicyConfig, load_config
from daemon.model.topics import Topics
from daemon.policy.service import PolicyService
from tests.kit.agency import CLIP

TOPICS = Topics(worlds.AGENCY)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[PolicyService]:
    config = worlds.make(tmp_path, 1).config / "policy.toml"
    made = PolicyService(load_config(PolicyConfig, config), SystemClock())
    yield made
    made._context.store.close()


def told(topic: str) -> LinkEvent:
    return Received("inbox", topic, b"{}", retained=False, mid=1, qos=1)


ANNOUNCED = told(TOPICS.announcement("dock-1", CLIP))
ANSWERED = Published("policy", 1, None)
ASKED = told(f"{TOPICS.root}/attestation/person-1/request/{'0' * 64}")


def test_what_docks_tell_waits_for_more_and_what_people_ask_for_does_not(service: PolicyService) -> None:
    assert service._can_wait(ANNOUNCED)
    assert service._can_wait(ANSWERED)
    assert not service._can_wait(ASKED)
    assert not service._can_wait(told(f"{TOPICS.root}x/dock/dock-1/clip/{CLIP}"))
