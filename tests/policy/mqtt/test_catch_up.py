"""Catching up: what is processed last, and when all that the broker retains has come."""

from __future__ import annotations

from daemon.link.mqtt import Received
from daemon.model.topics import Topics
from daemon.policy.mqtt.catch_up import LONGEST, QUIET, CatchUp
from tests.kit.agency import CLIP

TOPICS = Topics("portland")


def message(kind: str, retained: bool = True) -> Received:
    topic = TOPICS.attestation("51234", kind, "d") if kind != "notice" else TOPICS.clip("dock-1", CLIP)
    return Received("inbox", topic, b"x", retained=retained, mid=1, qos=1)


def test_what_rests_on_other_messages_is_processed_after_them() -> None:
    """A withdrawal may come before what it withdraws, a request before the facts, whether queued or retained."""
    catch_up = CatchUp(TOPICS)
    catch_up.begin(100.0)
    last = [message("request", retained=False), message("withdrawal"), message("request"), message("correction")]
    for at, received in enumerate([*last, message("classification"), message("notice")]):
        catch_up.note_received(received, 100.0 + at / 10)
        assert catch_up.defer(received) == (received in last)
    catch_up.note_received(message("classification", retained=False), 101.0)
    assert not catch_up.is_over(100.5 + QUIET - 0.1), "counted from the newest that was retained"
    assert catch_up.is_over(100.5 + QUIET)
    assert [received.topic.split("/")[5] for received in catch_up.take_deferred()] == [
        *("correction", "withdrawal", "request", "request")
    ]
    assert catch_up.take_deferred() == []


def test_nobody_waits_for_ever_for_a_decision() -> None:
    catch_up = CatchUp(TOPICS)
    catch_up.begin(0.0)
    at = 0.0
    while at < LONGEST:
        assert not catch_up.is_over(at)
        catch_up.note_received(message("notice"), at)
        at += 1.0
    assert catch_up.is_over(at)


def test_without_a_connection_nothing_has_come() -> None:
    catch_up = CatchUp(TOPICS)
    catch_up.wait_for_connection(0.0)
    assert not catch_up.is_over(QUIET)
    assert catch_up.is_over(LONGEST)
