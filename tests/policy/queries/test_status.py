"""The service's status: what it counts, and its last will."""

from __future__ import annotations

import json

from daemon.policy.queries.status import offline, online
from tests.kit.agency import NOW
from tests.policy.queries.asking import Desk


def test_it_says_how_it_is(desk: Desk) -> None:
    desk.office.announce(desk.office.notice())
    desk.office.ask("officer", desk.office.notice().clip_id)
    desk.office.clock.turn(seconds=5)
    said = json.loads(online(desk.office.context, desk.office.context.store.counts(), NOW, catching_up=True))
    assert (said["state"], said["catching_up"], said["open_requests"]) == ("online", True, 1)
    assert said["docks"] == {"dock-1": 1} and said["said_at"] > said["since"]
    assert said["regime"] == "portland-negotiated-2023" and said["trust_version"] >= 1


def test_its_will_says_that_it_is_gone(desk: Desk) -> None:
    assert json.loads(offline(desk.office.context))["state"] == "offline"
