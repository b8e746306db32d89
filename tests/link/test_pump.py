"""The pump's window and keys, with a client that does as it is told."""

from __future__ import annotations

import threading
from collections.abc import Hashable

import pytest

from daemon.link.mqtt import Published
from daemon.link.pump import Pump
from daemon.runtime.mailbox import Mailbox


class FakeClient:
    """Takes messages and gives them mids, or refuses."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bool]] = []
        self.online = True

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> int | None:
        if not self.online:
            return None
        self.sent.append((topic, payload, retain))
        return len(self.sent)


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def pump(client: FakeClient) -> Pump:
    made = Pump(client, window=3)  # type: ignore[arg-type]
    made.reset(connected=True)
    return made


def answer(pump: Pump, mid: int, refused: str | None = None) -> list[Hashable]:
    taken: list[Hashable] = []
    pump.published(Published("", mid, refused), taken.append)
    return taken


def test_nothing_flies_before_the_connection(client: FakeClient) -> None:
    assert not Pump(client).has_room  # type: ignore[arg-type]


def test_the_window(pump: Pump, client: FakeClient) -> None:
    for number in range(3):
        assert pump.has_room
        assert pump.send(number, "topic", b"x", retain=number == 1)
    assert (pump.has_room, pump.empty) == (False, False)
    assert [retain for _, _, retain in client.sent] == [False, True, False]
    assert answer(pump, 2) == [1]
    assert pump.has_room
    assert answer(pump, 1) + answer(pump, 3) == [0, 2]
    assert (pump.has_room, pump.empty) == (True, True)


def test_an_answer_counts_once_and_only_for_what_was_sent(pump: Pump) -> None:
    pump.send("key", "topic", b"x", retain=False)
    assert answer(pump, 99) == []
    assert answer(pump, 1) == ["key"]
    assert answer(pump, 1) == []


def test_a_refusal_is_no_delivery(pump: Pump) -> None:
    pump.send("key", "topic", b"x", retain=False)
    assert answer(pump, 1, "not authorized") == []
    assert pump.empty


def test_a_lost_connection_forgets_what_was_flying(pump: Pump) -> None:
    """An old connection's answer must not count for a message of the new one."""
    pump.send("old", "topic", b"x", retain=False)
    pump.reset(connected=False)
    assert pump.empty
    assert not pump.has_room
    pump.reset(connected=True)
    assert answer(pump, 1) == []


def test_a_client_that_cannot_take_it(pump: Pump, client: FakeClient) -> None:
    client.online = False
    assert not pump.send("key", "topic", b"x", retain=False)
    assert pump.empty


def test_what_never_fits_is_set_aside(pump: Pump, client: FakeClient) -> None:
    pump.reset(connected=True, max_packet=200)
    assert pump.send("large", "topic", b"x" * 200, retain=False)
    assert client.sent == []
    assert pump.send("small", "topic", b"x" * 100, retain=False)
    assert len(client.sent) == 1


def test_the_mailbox_keeps_order_and_bounds_its_batches() -> None:
    mailbox: Mailbox[int] = Mailbox(tick_seconds=5.0)
    for number in range(1201):
        mailbox.put(number)
    batches = mailbox.batches()
    found = [next(batches) for _ in range(3)]
    assert [len(batch) for batch in found] == [500, 500, 201]
    assert [item for batch in found for item in batch] == list(range(1201))
    mailbox.stop()
    assert next(batches, None) is None


def test_the_mailbox_ticks_when_nothing_comes() -> None:
    assert next(Mailbox[int](tick_seconds=0.001).batches()) == []


def test_stopping_ends_a_waiting_loop() -> None:
    mailbox: Mailbox[int] = Mailbox(tick_seconds=60.0)
    mailbox.put(1)
    seen = []
    for batch in mailbox.batches():
        seen.append(batch)
        mailbox.stop()
    assert seen == [[1]]


def _gathering(most: int) -> Mailbox[int]:
    """Even numbers can wait."""
    return Mailbox(60.0, can_wait=lambda number: number % 2 == 0, gather_seconds=60.0, gather_most=most)


def test_what_can_wait_is_gathered_until_there_is_enough() -> None:
    mailbox = _gathering(3)

    def put_more() -> None:
        for number in (4, 6, 8):
            mailbox.put(number)

    later = threading.Timer(0.05, put_more)
    mailbox.put(2)
    later.start()
    batches = mailbox.batches()
    assert next(batches)[:3] == [2, 4, 6]


def test_what_cannot_wait_ends_the_gathering() -> None:
    mailbox = _gathering(100)
    later = threading.Timer(0.05, mailbox.put, (1,))
    mailbox.put(2)
    later.start()
    assert next(mailbox.batches()) == [2, 1]


def test_gathering_ends_with_its_time() -> None:
    mailbox: Mailbox[int] = Mailbox(60.0, can_wait=lambda _: True, gather_seconds=0.01, gather_most=100)
    mailbox.put(2)
    assert next(mailbox.batches()) == [2]


def test_stopping_ends_a_gathering() -> None:
    mailbox = _gathering(100)
    mailbox.put(2)
    threading.Timer(0.05, mailbox.stop).start()
    assert list(mailbox.batches()) == [[2]]
