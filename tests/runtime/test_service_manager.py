"""What the service manager hears, on a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.runtime.service_manager import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def heard(manager: socket.socket) -> list[list[str]]:
    messages = []
    while True:
        try:
            messages.append(manager.recv(4096).decode().split("\n"))
        except BlockingIOError:
            return messages


def test_ready_alive_and_stopping_are_said(manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "60000000"})
    notifier.status("recovering")
    notifier.ready()
    notifier.alive(lambda: "all is\nwell")
    notifier.alive(lambda: "not said so soon again")
    notifier.stopping("told to")
    said = [["STATUS=recovering"], ["READY=1"], ["WATCHDOG=1", "STATUS=all is well"], ["STOPPING=1", "STATUS=told to"]]
    assert heard(manager) == said


def test_a_short_watchdog_is_fed_in_time(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((100.0, 100.9, 101.0, 102.5))
    monkeypatch.setattr("daemon.runtime.service_manager.time.monotonic", lambda: next(clock))
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "4000000"})
    for words in ("at 100.0", "too soon", "at 101.0", "at 102.5"):
        notifier.alive(lambda words=words: words)  # type: ignore[misc]
    assert [words for _, words in heard(manager)] == ["STATUS=at 100.0", "STATUS=at 101.0", "STATUS=at 102.5"]


def test_a_reload_begins_and_ends(manager: socket.socket) -> None:
    with Notifier({"NOTIFY_SOCKET": manager.getsockname()}).reloading():
        ((begins, since),) = heard(manager)
    assert begins == "RELOADING=1" and int(since.removeprefix("MONOTONIC_USEC=")) > 0
    assert heard(manager) == [["READY=1"]]


def test_an_abstract_socket_is_an_address_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0bwc-notify-test")
        Notifier({"NOTIFY_SOCKET": "@bwc-notify-test"}).ready()
        assert listening.recv(100) == b"READY=1"


def test_without_a_manager_or_with_a_dead_one_nothing_happens(tmp_path: Path) -> None:
    def unneeded() -> str:
        raise AssertionError("nobody listens")

    Notifier({}).alive(unneeded)
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready()
