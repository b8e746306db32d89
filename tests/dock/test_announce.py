"""When notices that nobody acknowledges are said again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from daemon.dock.announce import STALL_SECONDS, Announcer
from daemon.link.mqtt import Connected, MqttClient, Published
from tests import agency
from tests.agency import CLIP
from tests.hostile.house import House, open_house


class Broker:
    """Takes whatever it is given, and remembers the topics."""

    def __init__(self) -> None:
        self.topics: list[str] = []

    def publish(self, topic: str, payload: bytes, **_: Any) -> int:
        self.topics.append(topic)
        return len(self.topics)


def pump(announcer: Announcer, broker: Broker) -> int:
    """How many notices go out."""
    before = len(broker.topics)
    announcer.pump()
    for mid in range(before, len(broker.topics)):
        announcer.handle(Published("publisher", mid + 1, None))
    return sum("/clip/" in topic for topic in broker.topics[before:])


def connected(house: House, broker: Broker) -> Announcer:
    announcer = Announcer(house.dock, cast(MqttClient, broker), house.clock.now())
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
                house.clock.turn(seconds=patience - 1)
                assert pump(announcer, broker) == 0
                house.clock.turn(seconds=2)
                assert pump(announcer, broker) == 1
        ack = agency.statement("acknowledgement", through=1, recipients=[house.dock.trust.policy_keyid()])
        house.hear(house.dock.topics.ack("dock-1"), agency.signed(ack, "policy").to_bytes())
        announcer.acknowledged(0)
        house.clock.turn(seconds=10_000)
        assert pump(announcer, broker) == 0, "all is acknowledged"
