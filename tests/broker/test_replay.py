"""What the faults found, each in small: the policy service's books after something was lost or restored."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from daemon.core.lock_rule import OrderState
from daemon.link import retry
from daemon.link.mqtt import LinkEvent, MqttClient, Received, Subscribed
from daemon.link.retry import RetryTimer
from daemon.model import statements as st
from daemon.model.config import Broker
from daemon.model.documents import Lock, NoticeRelease
from daemon.policy.cases import decisions, reconsideration
from daemon.seal import envelope as envelopes
from tests.kit.agency import CLIP, OTHER_CLIP
from tests.kit.patience import PATIENCE
from tests.kit.policy_fixture import Office, open_office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = open_office(tmp_path)
    yield made
    made.context.store.close()


def test_what_was_superseded_while_it_was_lost_is_not_waited_for(office: Office) -> None:
    """Notice 1 was lost, and its clip has a newer one; so 2, which was stored after 1, now follows nothing."""
    lost, second = office.notice(), office.notice(OTHER_CLIP)
    office.announce(second)
    third = office.notice(CLIP, previous=second.sequence)
    office.announce(third)
    assert (lost.sequence, office.context.store.through("dock-1")) == (1, 0)
    office.announce(second.model_copy(update={"previous": 0}))
    assert office.context.store.through("dock-1") == 3


def test_a_repeated_notice_never_raises_what_it_waits_for(office: Office) -> None:
    first, second = office.notice(), office.notice(OTHER_CLIP)
    office.announce(second.model_copy(update={"previous": 0}))
    office.announce(second)
    assert office.context.store.through("dock-1") == 2
    office.announce(first)
    assert office.context.store.through("dock-1") == 2


def shown(office: Office, state: OrderState) -> NoticeRelease:
    """An order that the dock shows, and nobody here issued."""
    return NoticeRelease(
        order_id="0f2c",
        person_id="officer",
        purpose="report",
        expires_at=office.clock.at + timedelta(days=1),
        state=state,
    )


@pytest.mark.parametrize(("state", "revoked"), [("live", 1), ("expired", 0), ("revoked", 0)])
def test_a_live_order_without_a_record_is_revoked_once(office: Office, state: OrderState, revoked: int) -> None:
    for _ in range(2):
        office.announce(office.notice(lock=Lock(state="released", reason="", releases=(shown(office, state),))))
    orders = [
        envelopes.parse(data, what="order") for data in office.posted(office.context.topics.order("dock-1", CLIP))
    ]
    assert [order.kind for order in orders] == ["revocation"] * revoked
    for order in orders:
        assert order.statement(st.Revocation).order_id == "0f2c"
    listed = Lock(state="locked", reason="", releases=(shown(office, "revoked"),))
    office.announce(office.notice(lock=listed))
    assert all(order.listed for order in office.context.store.orders(CLIP))


def test_what_was_refused_is_due_again_once() -> None:
    waits = RetryTimer()
    assert (waits.pending, waits.due(1e9)) == (False, False)
    waits.refused(100.0)
    waits.refused(110.0)
    assert (waits.pending, waits.due(100.0 + retry.RETRY_SECONDS - 1)) == (True, False)
    assert waits.due(100.0 + retry.RETRY_SECONDS)
    assert (waits.pending, waits.due(1e9)) == (False, False)


def refusing(listener: socket.socket, answers: list[int]) -> None:
    """A broker that answers each SUBSCRIBE with the next of these reason codes."""
    connection, _ = listener.accept()
    with connection:
        connection.recv(1000)
        connection.sendall(b"\x20\x03\x00\x00\x00")  # CONNACK: no session
        for answer in answers:
            packet = connection.recv(1000)
            assert packet[0] == 0x82
            connection.sendall(b"\x90\x04" + packet[2:4] + b"\x00" + bytes([answer]))
        connection.recv(1000)


def test_a_refused_subscription_can_be_asked_for_again() -> None:
    events: queue.SimpleQueue[LinkEvent] = queue.SimpleQueue()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        broker = threading.Thread(target=refusing, args=(listener, [0x87, 0x01]))
        broker.start()
        url = f"mqtt://127.0.0.1:{listener.getsockname()[1]}"
        client = MqttClient(Broker(url=url), "c", events.put, subscriptions=("a/+",), session_seconds=60)
        client.start()
        answers: list[bool] = []
        while len(answers) < 2:
            event = events.get(timeout=PATIENCE)
            if isinstance(event, Subscribed):
                answers.append(event.refused is None)
                client.subscribe()
        client.stop()
        broker.join()
    assert answers == [False, True]


def test_an_acknowledgement_of_an_earlier_connection_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a new connection the broker counts anew: the same number is another message, which nobody has handled."""
    client = MqttClient(Broker(url="mqtt://127.0.0.1:9"), "c", lambda event: None, subscriptions=("a/+",))
    sent: list[int] = []
    monkeypatch.setattr(paho.Client, "ack", lambda _, mid, qos: sent.append(mid))
    client.connection = 2
    for connection in (1, 2):
        client.ack(Received("c", "a/b", b"", retained=False, mid=connection, qos=1, connection=connection))
    assert sent == [2]


def test_what_a_broker_forgot_is_said_again_and_not_decided_again(office: Office) -> None:
    """Live releases, open refusals and standings are published anew; the record of decisions does not grow."""
    for number, clip_id in enumerate((CLIP, OTHER_CLIP)):
        office.announce(office.notice(clip_id, incidents=(f"incident-{number}",)))
    office.classify("none", incident_id="incident-0")
    office.classify("deadly", incident_id="incident-1")
    released, refused = office.ask("officer", CLIP), office.ask("officer", OTHER_CLIP)
    assert (released["outcome"], refused["outcome"]) == ("released", "refused")
    store = office.context.store
    before = {topic: payload for _, topic, payload, retain in store.waiting_messages(0, 1000) if retain}
    decided = len(list(store.decisions())), len(office.log("decided"))
    with store.transaction():
        for post_id, *_ in store.waiting_messages(0, 1000):
            store.remove_message(post_id)
        for clip_id in sorted(decisions.republish(office.context)):
            reconsideration.reconsider(office.context, clip_id)
    after = {topic: payload for _, topic, payload, retain in store.waiting_messages(0, 1000) if retain}
    assert {topic for topic in before if "/decision/" in topic or "/standing/" in topic} == set(after)
    for topic in after:
        told, again = json.loads(before[topic]), json.loads(after[topic])
        assert {**told, "decided_at": ""} == {**again, "decided_at": ""}
    assert (len(list(store.decisions())), len(office.log("decided"))) == decided
