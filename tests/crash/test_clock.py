"""Clock steps of an hour and of ten years, both ways, at random: what was released locks again as it must, nothing
opens early or anew, the dock goes on.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemon.cli.demo.world import AGENCY, DOCK, OFFICER
from daemon.core.lifecycle import State
from daemon.dock import lock_state
from daemon.dock.context import DockContext
from daemon.dock.inbox import orders
from daemon.model.config import DockConfig, load_config
from daemon.model.statements import Because, Release, Seal
from daemon.seal import envelope as envelopes
from daemon.seal.keys import keyid, load_open_public
from daemon.seal.private_keys import load_sign_key
from daemon.seal.wrap import release_key_info, wrap
from tests.kit import inline_dock
from tests.kit.inline_dock import InlineService
from tests.kit.promise import Camera, Promise, make_world

pytestmark = pytest.mark.xdist_group("clock")
HOUR, DECADE = 3600.0, 10 * 365.25 * 86400
STEPS = (HOUR, -HOUR, DECADE, -DECADE)


@dataclass
class StepClock:
    """A wall clock that is set, over a boot clock that only runs."""

    start: datetime
    elapsed: float = 1000.0
    offset: float = 0.0
    boots: int = 0

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.elapsed + self.offset)

    def boot(self) -> float:
        return self.elapsed

    def monotonic(self) -> float:
        return self.elapsed

    def boot_id(self) -> str:
        return f"boot-{self.boots}"


@dataclass
class Bench:
    """A dock with one clip, its clock in our hands, and the policy service's pen."""

    root: Path
    clock: StepClock = field(default_factory=lambda: StepClock(datetime.now(UTC)))
    granted: int = 0

    def __post_init__(self) -> None:
        self.world = make_world(self.root / "world", 1, self.root / "disk", settle_seconds=0)
        self.settings = load_config(DockConfig, self.world.config / "dock.toml")
        self.camera = Camera(self.world, 0, random.Random(1))
        self.clip = self.camera.record(2000)
        self.boot()
        self.dock.store.set("recipients", self.dock.trust.get().policy_keyid())
        assert inline_dock.ingest(self.service)

    @property
    def dock(self) -> DockContext:
        return self.service.dock

    def boot(self) -> None:
        self.service = InlineService(self.settings, self.clock)
        self.service.recover()

    def reboot(self) -> None:
        self.service.finish()
        self.clock.boots += 1
        self.boot()

    def tick(self, seconds: float = 0.0, step: float = 0.0) -> None:
        self.clock.elapsed += seconds
        self.clock.offset += step
        self.service.step([])

    def release(self, seconds: float) -> str:
        """A release order for the clip that ends so many seconds from (the dock's) now."""
        self.granted += 1
        row = self.dock.store.clip(self.clip)
        assert row is not None
        order_id = f"order-{self.granted}"
        public = load_open_public(self.world.key(OFFICER.person_id, "open", public=True))
        now = self.dock.now()
        release = Release(
            order_id=order_id,
            request_id=f"request-{self.granted}",
            clip_id=self.clip,
            clip_sha256=row.clip_sha256,
            dock_id=DOCK,
            person_id=OFFICER.person_id,
            roles=("officer",),
            purpose="report",
            granted_at=now,
            expires_at=now + timedelta(seconds=seconds),
            regime="portland-negotiated-2023",
            regime_sha256="ab" * 32,
            trust_version=1,
            because=(Because(policy_id="a/rule", reason="a reason"),),
            facts=(),
            wrapped_key=wrap(bytes(32), public, release_key_info(order_id, self.clip, keyid(public))),
        )
        envelope = envelopes.sign(release, load_sign_key(self.world.key("policy", "sign")))
        self.service.run_in_transaction(orders.receive, envelope.to_bytes(), self.clip)
        return order_id

    def shown(self) -> str:
        """What the next notice says, which must be what custody and state say as well."""
        row = self.dock.store.clip(self.clip)
        assert row is not None
        return lock_state.view_of(self.dock, row, self.service.state.reading(self.dock)).state

    def state(self, order_id: str) -> str | None:
        row = self.dock.store.order(order_id)
        return row.state if row else None


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.service.finish()


def test_an_hour_forward_ends_a_release_for_good(bench: Bench) -> None:
    order = bench.release(1800)
    assert bench.shown() == "released"
    bench.tick(1)
    assert bench.shown() == "released"
    bench.tick(step=HOUR)
    assert (bench.shown(), bench.state(order)) == ("locked", "expired")
    bench.tick(20, step=-HOUR)
    assert (bench.shown(), bench.state(order)) == ("locked", "expired")


@pytest.mark.parametrize("step", [-HOUR, -DECADE])
def test_a_clock_set_back_locks_everything_and_prolongs_nothing(bench: Bench, step: float) -> None:
    order = bench.release(1800)
    bench.tick(20)
    bench.tick(1, step=step)
    assert bench.shown() == "locked", "earlier than a time already recorded"
    assert bench.release(60) and bench.state(f"order-{bench.granted}") is None, "no order is honoured meanwhile"
    bench.tick(1, step=-step)
    assert bench.shown() == "released"
    bench.tick(1, step=step)
    bench.tick(1790)  # the order's time is over by the clock that only runs, while the wall clock says otherwise
    assert bench.state(order) == "expired"
    bench.tick(1, step=-step)
    assert bench.shown() == "locked"


def test_a_decade_forward_and_back_stays_locked_through_a_reboot(bench: Bench) -> None:
    bench.release(1800)
    bench.tick(20, step=DECADE)
    assert bench.shown() == "locked"
    bench.tick(20, step=-DECADE)
    bench.reboot()
    assert bench.shown() == "locked"
    bench.release(600)
    assert bench.shown() == "locked", "earlier than a time already recorded"


def test_a_reboot_while_the_clock_is_behind_prolongs_nothing(bench: Bench) -> None:
    order = bench.release(1800)
    bench.tick(20)
    bench.tick(1, step=-HOUR)
    bench.tick(1700)
    bench.reboot()
    bench.tick(120)
    assert bench.state(order) == "expired"


def test_random_steps_open_nothing_and_stop_nothing(bench: Bench) -> None:
    rng = random.Random(5)
    ends: dict[str, float] = {}  # when an order's time is over on the clock that only runs
    over: set[str] = set()
    latest = bench.clock.now()
    opened = 0
    for number in range(150):
        step = rng.choice((0.0, 0.0, 0.0, *STEPS)) if number % 3 else 0.0
        if rng.random() < 0.4 and bench.clock.offset:
            step = -bench.clock.offset  # set right again
        if rng.random() < 0.05 and bench.service.state.reading(bench.dock).trusted:
            bench.reboot()
        bench.tick(rng.choice((1.0, 20.0, 400.0)), step)
        if rng.random() < 0.3:
            seconds = rng.choice((60.0, 1800.0))
            order = bench.release(seconds)
            if bench.state(order) == "live":
                ends[order] = bench.clock.boot() + seconds
        now = bench.clock.now()
        trusted = now >= latest - timedelta(seconds=10)
        rows = {name: bench.dock.store.order(name) for name in ends}
        for name, row in rows.items():
            assert row is not None
            if row.state != "live":
                over.add(name)
            assert not (row.state == "live" and name in over), "an order that ended came to life again"
            if row.state == "live":
                assert bench.clock.boot() < ends[name] + 10 * bench.clock.boots, "what was left is noted every 10 s"
        if bench.shown() == "released":
            opened += 1
            assert trusted
            assert any(row and row.state == "live" and now < _instant(row.expires_at) for row in rows.values())
        stored = bench.dock.store.get("latest")
        if stored:
            latest = max(latest, _instant(stored))
    assert opened > 5, "the test must have seen releases"
    clip = bench.dock.store.clip(bench.clip)
    assert clip is not None and clip.state in {State.LOCKED, State.RELEASED}
    assert bench.camera.folder.is_dir()
    promise = Promise(bench.world, bench.root / "disk" / "vault")
    seal = envelopes.parse(promise.layout.clip(bench.clip).seal.read_bytes(), what="seal").statement(Seal)
    assert promise.broken(bench.clip, bench.camera.recorded[bench.clip], seal.sealed_sha256) is None
    assert AGENCY and promise.findings() == []


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_footage_comes_in_whatever_the_clock_says(bench: Bench) -> None:
    for step in (DECADE, -2 * DECADE, DECADE + HOUR, -2 * HOUR):
        bench.tick(20, step=step)
        name = bench.camera.record(1000)
        assert inline_dock.ingest(bench.service)
        row = bench.dock.store.clip(name)
        assert row is not None and row.state == State.LOCKED
    promise = Promise(bench.world, bench.root / "disk" / "vault")
    for name, receipt in bench.camera.harvest().items():
        assert promise.broken(name, bench.camera.recorded[name], receipt.sealed_sha256) is None
    assert promise.findings() == []
