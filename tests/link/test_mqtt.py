"""The client and the short visit, against a real Mosquitto."""

from __future__ import annotations

import gc
import os
import queue
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.link.mqtt import Disconnected, LinkEvent, MqttClient, Published, Received, Subscribed
from daemon.link.session import Session
from daemon.model.config import Broker
from daemon.model.errors import ConfigurationError, UnavailableError
from daemon.seal.tls_certificates import Authority
from tests.kit.mosquitto import Mosquitto
from tests.kit.mqtt_clients import SECONDS, Watched, reach
from tests.kit.patience import PATIENCE

Make = Callable[..., Watched]


def test_connected_published_received(watched: Make) -> None:
    listener, speaker = watched("listener", subscriptions=("a/#",)), watched("speaker")
    listener.connect()
    assert speaker.connect().max_packet == 20000
    mid = speaker.client.publish("a/b", b"\x00payload", retain=False)
    assert speaker.next(Published) == Published("speaker", mid or 0, None)
    message = listener.take()
    assert (message.topic, message.payload, message.retained) == ("a/b", b"\x00payload", False)
    assert listener.client.alive


def test_a_publish_that_nobody_hears_is_taken(watched: Make) -> None:
    speaker = watched("speaker")
    speaker.connect()
    speaker.client.publish("nobody/listens", b"x", retain=False)
    assert speaker.next(Published).refused is None


def test_a_publish_that_is_refused_says_so(watched: Make) -> None:
    """The broker acknowledges, and says in the reason code that it did not take it."""
    speaker = watched("speaker")
    speaker.connect()
    speaker.client.publish("forbidden/topic", b"x", retain=False)
    assert speaker.next(Published).refused


def test_a_message_not_acknowledged_comes_again(watched: Make) -> None:
    options = {"subscriptions": ("a/#",), "session_seconds": 60}
    first, speaker = watched("listener", **options), watched("speaker")
    first.connect()
    speaker.connect()
    speaker.client.publish("a/1", b"kept", retain=False)
    assert first.next(Received).payload == b"kept"
    first.client.stop()
    speaker.client.publish("a/2", b"queued", retain=False)
    speaker.next(Published, lambda event: event.refused is None)
    again = watched("listener", **options)
    again.client.start()
    payloads = {again.take().payload for _ in range(2)}
    assert payloads == {b"kept", b"queued"}
    again.client.stop()
    last = watched("listener", **options)
    last.connect()
    speaker.client.publish("a/3", b"new", retain=False)
    assert last.take().payload == b"new", "what was acknowledged does not come again"


def test_the_last_word_is_retained(mosquitto: Mosquitto, watched: Make) -> None:
    speaker = watched("speaker")
    speaker.connect()
    speaker.client.publish_last("status", b"offline")
    speaker.client.stop()
    assert not speaker.client.alive
    with Session(reach(mosquitto), ("status",)) as session:
        [message] = session.retained()
    assert (message.payload, message.retained) == (b"offline", True)


def test_a_will_speaks_for_whoever_was_cut_off(mosquitto: Mosquitto, watched: Make) -> None:
    """Only configured here: its delay is longer than a test may wait. A clean stop must keep it silent."""
    listener = watched("listener", subscriptions=("status",))
    listener.connect()
    quiet = watched("quiet", will=("status", b"offline"))
    quiet.connect()
    quiet.client.stop()
    speaker = watched("speaker")
    speaker.connect()
    speaker.client.publish("status", b"after", retain=False)
    assert listener.take().payload == b"after"


def test_it_comes_back_after_the_broker_was_gone(mosquitto: Mosquitto, watched: Make) -> None:
    listener = watched("listener", subscriptions=("a/#",))
    listener.connect()
    mosquitto.kill()
    listener.next(Disconnected)
    mosquitto.start()
    listener.next(Subscribed)
    with Session(reach(mosquitto), ()) as session:
        session.publish("a/b", b"back", retain=False)
    assert listener.take().payload == b"back"


def test_a_visit(mosquitto: Mosquitto) -> None:
    with Session(reach(mosquitto), ("a/#", "b")) as session:
        session.publish("a/1", b"one", retain=True)
        session.publish("a/2", b"two", retain=True)
        found = session.wait(lambda message: message.payload == b"two", 10.0)
        assert found is not None
        assert found.topic == "a/2"
        kept = session.wait(lambda _: True, 10.0)  # what one wait passed over waits for the next
        assert kept is not None
        assert kept.topic == "a/1"
        assert session.wait(lambda _: True, 0.05) is None
        session.publish("a/1", b"newer", retain=True)
    with Session(reach(mosquitto), ("a/#",)) as session:
        assert {m.topic: m.payload for m in session.retained()} == {"a/1": b"newer", "a/2": b"two"}


def test_messages_that_come_before_they_are_waited_for_are_kept(mosquitto: Mosquitto) -> None:
    with Session(reach(mosquitto), ("a/#",)) as session:
        for number in range(5):
            session.publish("a/x", b"%d" % number, retain=False)
        assert session.wait(lambda message: message.payload == b"4", 10.0) is not None


def test_a_visit_that_is_refused(mosquitto: Mosquitto) -> None:
    with Session(reach(mosquitto), ()) as session, pytest.raises(UnavailableError):
        session.publish("forbidden/x", b"x", retain=False)


def test_a_visit_where_nobody_is(mosquitto: Mosquitto) -> None:
    mosquitto.kill()
    with pytest.raises(UnavailableError) as caught, Session(reach(mosquitto), (), seconds=0.3):
        pass
    assert str(mosquitto.port) in str(caught.value)
    assert caught.value.hint


def test_a_broker_that_leaves_during_a_visit(mosquitto: Mosquitto) -> None:
    with Session(reach(mosquitto), (), seconds=0.5) as session:
        mosquitto.kill()
        with pytest.raises(UnavailableError):
            session.publish("a", b"x", retain=False)


@pytest.mark.parametrize(
    "settings",
    [
        {"username": "u", "password_file": "/nonexistent/password"},
        {"url": "mqtts://localhost", "ca": "/nonexistent/ca.pem"},
        {"url": "mqtts://localhost", "certificate": "/nonexistent/cert.pem", "key": "/nonexistent/key.pem"},
    ],
)
def test_what_cannot_be_read_is_said_before_connecting(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        MqttClient(Broker.model_validate({"url": "mqtt://localhost"} | settings), "id", lambda _: None)


@pytest.mark.parametrize("url", ["http://x", "mqtt://", "mqtt://h:port", "mqtt://h:99999", "x"])
def test_a_broker_url_that_is_none(url: str) -> None:
    with pytest.raises(ConfigurationError):
        _ = Broker(url=url).address


def test_broker_urls() -> None:
    assert Broker(url="mqtt://h").address == ("h", 1883)
    assert Broker(url="mqtts://h").address == ("h", 8883)
    assert Broker(url="mqtt://[::1]:5").address == ("::1", 5)
    assert Broker(url="mqtts://h").tls
    assert not Broker(url="mqtt://h").tls


@pytest.mark.filterwarnings("ignore:Exception ignored")  # paho does not close the socket of a failed handshake
@pytest.mark.parametrize(
    ("name", "ours", "greeted"),
    [("localhost", True, True), ("elsewhere", True, False), ("localhost", False, False)],
)
def test_only_a_broker_with_its_name_in_a_certificate_of_our_authority_is_greeted(
    tmp_path: Path, name: str, ours: bool, greeted: bool
) -> None:
    authority, other = (Authority.make(who, datetime.now(UTC)) for who in ("ours", "another"))
    pair = (authority if ours else other).server([name], datetime.now(UTC))
    ca, server = tmp_path / "ca.pem", tmp_path / "server.pem"
    ca.write_bytes(authority.to_pem().certificate)
    server.write_bytes(pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server)
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:
        listener.settimeout(PATIENCE)
        broker = Broker(url=f"mqtts://localhost:{listener.getsockname()[1]}", ca=ca)
        client = MqttClient(broker, "id", lambda _: None)
        client.start()
        try:
            connection, _ = listener.accept()
            connection.settimeout(PATIENCE)
            with connection, nullcontext() if greeted else pytest.raises(ssl.SSLError):
                secured = stack.enter_context(context.wrap_socket(connection, server_side=True))
                assert secured.recv(1) == b"\x10", "CONNECT (MQTT 5, section 3.1.1)"
        finally:
            client.stop()


def test_a_network_thread_that_an_error_has_ended_is_not_alive(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """paho lets an exception in a callback end its thread without a word; the watchdog must not be fed then."""
    threads: queue.SimpleQueue[threading.Thread] = queue.SimpleQueue()

    def fail(_: LinkEvent) -> None:
        if threading.current_thread() is not threading.main_thread():
            threads.put(threading.current_thread())
            looked.wait(SECONDS)
            raise ZeroDivisionError

    looked = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    client = MqttClient(reach(mosquitto), "failing", fail)
    before = client.alive
    client.start()
    during = client.alive
    looked.set()
    threads.get(timeout=SECONDS).join(SECONDS)
    assert (before, during, client.alive) == (False, True, False)
    client.stop()


def test_a_client_that_has_ended_leaves_nothing_open(mosquitto: Mosquitto) -> None:
    """Without waiting for the garbage collector; a process with 1,024 open files has no MQTT any more (select(2))."""
    gc.collect()
    gc.disable()
    try:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(2):
            with Session(reach(mosquitto), ("a/#",)):
                pass
        assert len(os.listdir("/proc/self/fd")) <= before  # somebody else may close theirs meanwhile
    finally:
        gc.enable()
