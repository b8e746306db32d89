"""Several policy services on one PostgreSQL: together they decide each request once, whoever is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import pytest

from tests.kit import agency
from tests.kit.patience import PATIENCE
from tests.kit.postgres import Server
from tests.kit.precinct import wait_until
from tests.kit.proxy import Proxy
from tests.policy.city import DEADLY, ROUTINE, City, Service, city
from tests.policy.refusing import Refusing

BWC = (sys.executable, "-m", "daemon.cli.main")


@pytest.fixture
def two(tmp_path: Path, postgres_server: Server) -> Iterator[City]:
    with city(tmp_path, postgres_server.database()) as made:
        yield made


def clip_ids(rng: random.Random, count: int) -> list[str]:
    return [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(count)]


def know(city: City, clips: int, seed: int) -> tuple[list[str], list[str]]:
    """Clips announced and classified, known to all services: those of a routine stop, those of a shooting."""
    rng = random.Random(seed)
    routine, deadly = clip_ids(rng, clips), clip_ids(rng, clips)
    city.announce(routine, ROUTINE)
    city.announce(deadly, DEADLY)
    said = [city.classify("none", ROUTINE), city.classify("deadly", DEADLY)]
    city.await_state(lambda: city.through == 2 * clips and all(one in city.answers for one in said), "all to be known")
    return routine, deadly


def start(city: City) -> None:
    for service in city.services:
        service.start()
    city.leader()


def await_decided(city: City, requests: list[str]) -> None:
    city.await_state(lambda: all(one in city.decisions for one in requests), "every request to be decided", 120)


def test_together_they_decide_each_request_once(two: City, tmp_path: Path) -> None:
    start(two)
    routine, deadly = know(two, 60, seed=1)
    two.await_shares()
    released, refused = [], []
    for one, other in zip(routine, deadly, strict=True):
        released.append(two.ask(one))
        refused.append(two.ask(other))
    await_decided(two, released + refused)
    two.check_each_was_decided_once(released, refused)
    shares = [service.metric("bwc_policy_decisions_total") for service in two.services]
    assert sum(shares) == 120 and min(shares) > 0, shares
    assert {service.end() for service in two.services} == {0}
    config = str(two.services[1].config)
    subprocess.run([*BWC, "custody", "export", "--config", config, "--out", tmp_path / "out"], check=True)
    (tmp_path / "policy.pem").write_text(agency.sign_pem("policy"))
    verify = ("custody", "verify", tmp_path / "out" / "custody.jsonl", "--key", tmp_path / "policy.pem")
    subprocess.run([*BWC, *verify], check=True)
    ask = ("--clip", deadly[0], "--person", "officer", "--purpose", "report")
    explained = subprocess.run(
        [*BWC, "policy", "explain", "--config", config, *ask], capture_output=True, text=True, check=True
    )
    assert "refused" in explained.stdout
    replayed = subprocess.run(
        [*BWC, "policy", "replay", "--config", config, "--regime", "portland-union-offer-2023"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "120 decisions on record; 60 would have gone otherwise" in replayed.stdout


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_any_moment_nothing_is_lost_or_doubled(two: City, seed: int) -> None:
    """Nobody says anything twice: what a killed service had heard, another hears."""
    rng = random.Random(seed)
    start(two)
    routine, deadly = know(two, 60, seed)
    released: list[str] = []
    refused: list[str] = []
    pairs = iter(zip(routine, deadly, strict=True))
    for who in ("leader", "follower", "leader", "follower"):
        for _ in range(15):
            one, other = next(pairs)
            released.append(two.ask(one))
            refused.append(two.ask(other))
        wanted = min(len(two.decisions) + rng.randrange(12), len(two.asked))
        two.await_state(lambda wanted=wanted: len(two.decisions) >= wanted, "some decisions")  # type: ignore[misc]
        killed = two.leader() if who == "leader" else two.others()[0]
        killed.end(signal.SIGKILL)
        two.leader()
        if rng.random() < 0.5:
            await_decided(two, released + refused)
        killed.start()
    await_decided(two, released + refused)
    two.check_each_was_decided_once(released, refused)


def test_what_a_killed_service_had_been_given_another_decides(two: City) -> None:
    """The broker gave it requests that it never took up, and nobody says them again."""
    start(two)
    routine, _ = know(two, 20, seed=3)
    (follower,) = two.others()
    two.await_shares()
    os.kill(follower.pid, signal.SIGSTOP)
    requests = [two.ask(clip_id) for clip_id in routine]
    two.await_state(lambda: len(two.decisions) >= 5, "the leader's share")
    follower.end(signal.SIGKILL)
    await_decided(two, requests)
    two.check_each_was_decided_once(requests, [])


def test_the_server_restarted_in_the_middle(two: City, postgres_server: Server) -> None:
    """Services that lose the store end, and say so; started again, they take up where they were."""
    start(two)
    routine, deadly = know(two, 20, seed=4)
    released = [two.ask(clip_id) for clip_id in routine]
    two.await_state(lambda: len(two.decisions) >= 3, "some decisions")
    refused = [two.ask(clip_id) for clip_id in deadly]
    postgres_server.restart(signal.SIGQUIT)
    assert [service.wait() for service in two.services] == [1, 1]
    assert all("hint:" in service.words or "postgresql" in service.words for service in two.services)
    start(two)
    await_decided(two, released + refused)
    two.check_each_was_decided_once(released, refused)


@pytest.mark.parametrize("how", ["connack", "suback"])
def test_without_shared_subscriptions_one_serves_and_the_other_stands_by(
    tmp_path: Path, postgres_server: Server, how: Literal["connack", "suback"]
) -> None:
    made: list[Refusing] = []

    def between(port: int) -> Refusing:
        made.append(Refusing(port, how))
        return made[0]

    with city(tmp_path, postgres_server.database(), between) as two:
        start(two)
        routine, deadly = know(two, 10, seed=5)
        released = [two.ask(clip_id) for clip_id in routine]
        await_decided(two, released)
        leader, (standing_by,) = two.leader(), two.others()
        assert (made[0].asked == 0) == (how == "connack")
        decided = [service.metric("bwc_policy_decisions_total") for service in (leader, standing_by)]
        assert decided == [10, 0]
        two.await_idle(4)
        refused = [two.ask(clip_id) for clip_id in deadly[:5]]
        await_decided(two, refused)
        leader.end(signal.SIGKILL)
        refused += [two.ask(clip_id) for clip_id in deadly[5:]]
        await_decided(two, refused)
        assert two.leader() is standing_by
        two.check_each_was_decided_once(released, refused)


def test_a_service_with_another_regime_ends(two: City) -> None:
    """Two regimes on one store would take each other's orders back."""
    text = two.services[1].config.read_text()
    two.services[1].config.write_text('regime = "doj-preferred-2023"\n' + text)
    two.services[0].start()
    two.leader()
    two.services[1].start()
    assert two.services[1].wait() == 2
    assert "decides by another" in two.services[1].words


def test_on_sqlite_there_is_one_service(tmp_path: Path) -> None:
    with city(tmp_path, "sqlite") as two:
        two.services[0].start()
        wait_until(lambda: two.services[0].metric("bwc_policy_broker_connected") == 1, "it to serve", PATIENCE)
        text = two.services[1].config.read_text()
        two.services[1].config.write_text(text.replace('"state-1"', '"state-0"'))
        two.services[1].start()
        assert two.services[1].wait() == 2
        assert "several at once need PostgreSQL" in two.services[1].words
        routine, _ = know(two, 2, seed=6)
        requests = [two.ask(clip_id) for clip_id in routine]
        await_decided(two, requests)
        two.check_each_was_decided_once(requests, [])


@pytest.fixture
def apart(two: City) -> Iterator[tuple[City, dict[Service, Proxy]]]:
    """Each service behind a piece of network of its own, on the way to the broker."""
    with ExitStack() as stack:
        networks = {}
        for service in two.services:
            networks[service] = stack.enter_context(Proxy(two.mosquitto.port))
            text = service.config.read_text()
            service.config.write_text(text.replace(f":{two.mosquitto.port}", f":{networks[service].port}"))
        yield two, networks


def test_what_a_service_lost_with_its_connection_is_heard_again(apart: tuple[City, dict[Service, Proxy]]) -> None:
    city, networks = apart
    start(city)
    routine, _ = know(city, 20, seed=7)
    (follower,) = city.others()
    city.await_shares()
    networks[follower].weather.swallow_down = True
    requests = [city.ask(clip_id) for clip_id in routine]
    city.await_state(lambda: len(city.decisions) >= 5, "the leader's share")
    networks[follower].weather.swallow_down = False
    networks[follower].cut()
    await_decided(city, requests)
    city.check_each_was_decided_once(requests, [])
    assert all(service.alive for service in city.services)


def test_a_leader_without_a_broker_leaves_the_lead(apart: tuple[City, dict[Service, Proxy]]) -> None:
    city, networks = apart
    start(city)
    routine, deadly = know(city, 5, seed=8)
    leader, (other,) = city.leader(), city.others()
    networks[leader].weather.closed = True
    networks[leader].cut()
    released = [city.ask(clip_id) for clip_id in routine]
    await_decided(city, released)
    assert other.leads and leader.alive
    networks[leader].weather.closed = False
    wait_until(lambda: leader.metric("bwc_policy_broker_connected") == 1, "its broker to be back", PATIENCE)
    refused = [city.ask(clip_id) for clip_id in deadly]
    await_decided(city, refused)
    city.check_each_was_decided_once(released, refused)
