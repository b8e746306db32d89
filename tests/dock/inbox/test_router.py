"""Each message to whoever handles it; acknowledgements and openings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.dock.inbox import router
from daemon.link.mqtt import Received
from tests.kit import agency
from tests.kit.agency import CLIP
from tests.kit.dock_fixture import House, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as made:
        made.record(CLIP, b"footage")
        made.look(3)
        yield made


def test_an_acknowledgement_says_how_far_and_proves_a_recipient(house: House) -> None:
    before: list[int] = []
    ack = agency.signed(agency.statement("acknowledgement", through=1, recipients=["ab" * 32]), "policy")
    message = Received("consumer", house.dock.topics.ack("dock-1"), ack.to_bytes(), retained=True, mid=0, qos=1)
    house.service.run_in_transaction(router.receive, message, before.append, lambda: None)
    assert before == [0]
    assert house.dock.store.acknowledged_through == 1
    assert house.dock.store.proven_recipients == {"ab" * 32}


def test_an_acknowledgement_for_another_dock_is_refused_and_recorded_once(house: House) -> None:
    ack = agency.signed(agency.statement("acknowledgement", dock_id="dock-2", through=9), "policy").to_bytes()
    for _ in range(3):
        house.hear(house.dock.topics.ack("dock-1"), ack)
    assert house.dock.store.acknowledged_through == 0
    [refused] = house.custody("refused")
    assert refused["detail"]["what"] == "acknowledgement"


def test_an_opening_stands_in_the_clips_custody_once(house: House) -> None:
    house.hear(house.dock.topics.order("dock-1", CLIP), agency.signed(house.release(CLIP), "policy").to_bytes())
    opened = agency.signed(agency.statement("opened", order_id="order-1", clip_id=CLIP, person_id="officer"), "officer")
    for _ in range(2):
        house.hear(house.dock.topics.attestation("officer", "opened", opened.digest), opened.to_bytes())
    [entry] = house.custody("opened")
    assert entry["detail"] == {"order_id": "order-1", "person_id": "officer"}
    assert entry["attestations"] == [opened.digest]


@pytest.mark.parametrize("topic", ["ack/dock-1", "attestation/a/opened/b", "attestation/a/correction/b"])
def test_an_emptied_topic_means_nothing(house: House, topic: str) -> None:
    house.hear(f"{house.dock.topics.root}/{topic}", b"")
    assert house.custody("refused") == []


def test_only_dispatch_documents_can_wait(house: House) -> None:
    topics = house.dock.topics

    def waits(topic: str) -> bool:
        return router.can_wait(house.dock, Received("consumer", topic, b"", retained=False, mid=0, qos=1))

    assert waits(topics.cad("23-1"))
    assert not any(waits(topic) for topic in (topics.ack("dock-1"), topics.order("dock-1", CLIP)))
