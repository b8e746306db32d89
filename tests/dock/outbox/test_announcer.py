"""When notices that nobody acknowledges are said again."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any, cast

from daemon.dock.outbox.announcer import LONGEST_WAIT, STALL_SECONDS, Announcer
from daemon.link.mqtt import Connected, MqttClient, Published
from daemon.model.documents import Bay
from tests.kit.agency import CLIP
from tests.kit.dock_fixture import House, open_house


class Broker:
    """Takes whatever it is given, and remembers the topics."""

    def __init__(self) -> None:
        self.topics: list[str] = []
        self.payloads: list[bytes] = []

    def publish(self, topic: str, payload: bytes, **_: Any) -> int:
        self.topics.append(topic)
        self.payloads.append(payload)
        return len(self.topics)


def pump(announcer: Announcer, broker: Broker) -> int:
    """How many notices go out."""
    before = len(broker.topics)
    announcer.pump(lambda: True)
    for mid in range(before, len(broker.topics)):
        announcer.handle(Published("publisher", mid + 1, None))
    return sum("/clip/" in topic for topic in broker.topics[before:])


def connected(house: House, broker: Broker) -> Announcer:
    announcer = Announcer(house.dock, house.service.state, cast(MqttClient, broker), house.clock.now())
    announcer.handle(Connected("publisher", None))
    return announcer


def test_a_policy_service_that_is_busy_is_left_alone_for_longer_and_longer(tmp_path: Path) -> None:
    broker = Broker()
    with open_house(tmp_path / "dock") as house:
        house.record(CLIP, b"footage")
        house.look(3)
        with house.dock.store.transaction():
            announcer = connected(house, broker)
            assert pump(announcer, broker) == 1
            for patience in (STALL_SECONDS, 2 * STALL_SECONDS, 4 * STALL_SECONDS):
                announcer.acknowledged(
                    house.dock.store.acknowledged_through
                )  # it is there, and speaks of what it had before
                house.clock.turn(seconds=patience - 1)
                assert pump(announcer, broker) == 0
                house.clock.turn(seconds=2)
                assert pump(announcer, broker) == 1
            house.clock.turn(seconds=LONGEST_WAIT - 1)
            assert pump(announcer, broker) == 0
            house.clock.turn(seconds=2)
            assert pump(announcer, broker) == 1, "silent for as long as that"
        acknowledge(house, announcer, 1)
        house.clock.turn(seconds=10_000)
        assert pump(announcer, broker) == 0, "all is acknowledged"


def acknowledge(house: House, announcer: Announcer, through: int) -> None:
    before = house.dock.store.acknowledged_through
    house.acknowledge(through)
    announcer.acknowledged(before)


def test_what_is_retained_is_small_and_what_is_acknowledged_is_not_announced_again(tmp_path: Path) -> None:
    broker = Broker()
    with open_house(tmp_path / "dock") as house:
        house.record(CLIP, b"footage")
        house.look(3)
        announcer = connected(house, broker)
        assert pump(announcer, broker) == 1
        said = dict(zip(broker.topics, broker.payloads, strict=True))
        whole = json.loads(said[house.dock.topics.announcement("dock-1", CLIP)])
        retained = json.loads(said[house.dock.topics.clip("dock-1", CLIP)])
        assert whole.keys() - retained.keys() == {"seal_envelope", "capture_envelope"}
        assert retained == {name: whole[name] for name in retained}
        acknowledge(house, announcer, 1)
        announcer.forgotten()
        before = len(broker.topics)
        assert pump(announcer, broker) == 1, "the broker has forgotten what it retained"
        assert not any("/announcement/" in topic for topic in broker.topics[before:])
        acknowledge(house, announcer, 0)
        assert pump(announcer, broker) == 1, "the policy service has fallen back"
        assert broker.topics.count(house.dock.topics.announcement("dock-1", CLIP)) == 2


def test_one_that_was_lost_is_said_again_though_others_follow_it_all_the_time(tmp_path: Path) -> None:
    broker = Broker()
    with open_house(tmp_path / "dock") as house:
        announcer = connected(house, broker)
        sent = 0
        for number in range(5):
            house.record(str(uuid.UUID(int=number)), b"footage %d" % number)
            house.look(3)
            announcer.acknowledged(house.dock.store.acknowledged_through)
            house.clock.turn(seconds=STALL_SECONDS / 3)
            sent += pump(announcer, broker)
        assert sent > 5


def test_a_bay_that_says_something_all_the_time_keeps_no_notice_waiting(tmp_path: Path) -> None:
    broker = Broker()
    with open_house(tmp_path / "dock") as house:
        house.record(CLIP, b"footage")
        house.look(3)
        announcer = connected(house, broker)
        for done in range(10):
            announcer.bay(Bay(bay="bay-1", state="reading", bytes_done=done))
            once = iter((True, False))
            announcer.pump(lambda once=once: next(once))  # type: ignore[misc]
        kinds = [topic.split("/")[5] for topic in broker.topics]
        assert {"bay", "clip", "custody"} <= set(kinds)
