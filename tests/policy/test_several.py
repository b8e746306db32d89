"""Several policy services on one PostgreSQL: together they decide each request exactly once, whoever of them is killed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.policy.city import DEADLY, ROUTINE, City, city
from tests.postgres import Server

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
    (tmp_path / "policy.pem").write_text(Path(tmp_path / "root.pem").read_text())
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
        wanted = len(two.decisions) + rng.randrange(12)
        two.await_state(lambda wanted=wanted: len(two.decisions) >= wanted, "some decisions")  # type: ignore[misc]
        killed = two.leader() if who == "leader" else two.others()[0]
        killed.end(signal.SIGKILL)
        two.leader()
        if rng.random() < 0.5:
            await_decided(two, released + refused)
        killed.start()
    await_decided(two, released + refused)
    two.check_each_was_decided_once(released, refused)
