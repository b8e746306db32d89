"""A crash at every step of copying and evicting, and several in a row: no clip is ever in neither place.

The store is one in memory that outlives the dock, so that hundreds of crashes take seconds; every step of the dock
(decision, commit, unlink, sync) and every request can be the last, before it has an effect and after.
"""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import obstore
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from obstore.store import MemoryStore

from daemon.custody.vault_check import VaultCheck, VaultCheckOptions
from daemon.dock import opening
from daemon.dock.upkeep.replicator import Replicator
from daemon.vault import durable
from daemon.vault.replica.objects import Objects
from tests.kit.dock_fixture import AGENCY, House, open_house

CLIPS = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(3)]
STEPS = 400
_REPLICA = {"url": "s3://evidence", "spool_bytes": 3000, "retry_seconds": 0.001, "gather_seconds": 0}


class Crash(BaseException):
    """The power goes."""


class Fuse:
    """Counts steps; the one with this number is the last."""

    def __init__(self, last: int) -> None:
        self.left = last

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Crash

    def around(self, act: Callable[..., Any]) -> Callable[..., Any]:
        """A step before it, and one after."""

        def both(*arguments: Any) -> Any:
            self.step()
            result = act(*arguments)
            self.step()
            return result

        return both


class World:
    """What outlives a crash: the disk, the store, the camera."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = MemoryStore()
        with self.running() as house:
            house.acknowledge()
            for number, name in enumerate(CLIPS):
                house.record(name, bytes([number]) * 2000)
            assert house.look(4) == "done"
            self.sealed = {name: house.dock.store.clip(name).sealed_sha256 for name in CLIPS}  # type: ignore[union-attr]

    @contextmanager
    def running(self) -> Iterator[House]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(opening, "open_replica", lambda _: Objects(self.store, "s3://evidence/dock-1"))
            with open_house(self.root, replica=_REPLICA) as house:
                yield house

    def run(self, fuse: Fuse) -> bool:
        """Starts the dock and copies and evicts until nothing is left to do; whether that was reached."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(durable, "fsync_directory", fuse.around(durable.fsync_directory))
            for name in ("_send", "check", "has"):
                patch.setattr(Objects, name, _method(getattr(Objects, name), fuse))
            try:
                with self.running() as house:
                    one = house.service.replicator
                    assert one is not None
                    patch.setattr(house.service, "run_in_transaction", fuse.around(house.service.run_in_transaction))
                    self._to_the_end(house, one)
            except Crash:
                return False
            except BaseException as error:
                if isinstance(error.__cause__, Crash):  # inside a decision: the loop halts, as when the process is gone
                    return False
                raise
        return True

    def _to_the_end(self, house: House, one: Replicator) -> None:
        for _ in range(6):
            one.round()
            if house.dock.replica.backlog()[0] == 0:
                return
        raise AssertionError("it never ends")

    def lost(self) -> list[str]:
        """Clips whose footage lies neither in the vault nor in the store, or not here without a durable word of it."""
        with closing(sqlite3.connect(self.root / "state" / "dock.sqlite")) as db:
            recorded = {row[0] for row in db.execute("SELECT clip_id FROM replica WHERE evicted = 1")}
        return [
            name
            for name, digest in self.sealed.items()
            if self._here(name) != digest and (self._there(name) != digest or name not in recorded)
        ]

    def _here(self, name: str) -> str | None:
        path = self.root / "vault" / "clips" / name / "clip.sealed"
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None

    def _there(self, name: str) -> str | None:
        try:
            data = bytes(obstore.get(self.store, f"clips/{name}/clip.sealed/{self.sealed[name]}").bytes())
        except FileNotFoundError:
            return None
        return hashlib.sha256(data).hexdigest()

    def check_the_end(self) -> None:
        assert self.lost() == []
        with self.running() as house:
            dock = house.dock
            assert sorted(entry["clip_id"] for entry in house.custody("replicated")) == CLIPS, "each exactly once"
            assert [entry["clip_id"] for entry in house.custody("evicted")] == CLIPS[:2]
            assert [name for name in CLIPS if self._here(name)] == CLIPS[2:]
            assert dock.replica.spooled() <= 3000 and dock.replica.evicting() == []
            vault = VaultCheckOptions(
                dock.vault, AGENCY, dock.trust.get(), dock.now(), read_data=True, objects=dock.objects
            )
            assert list(VaultCheck(vault).run(None, lambda _: None)) == []


def _method(act: Callable[..., Any], fuse: Fuse) -> Callable[..., Any]:
    both = fuse.around(act)
    return lambda self, *arguments: both(self, *arguments)


def crash_at_steps(root: Path, stride: int) -> int:
    """A crash at every `stride`th step there is, each in a world of its own; how many there were."""
    for count, last in enumerate(range(1, STEPS, stride)):
        world = World(root / str(last))
        ended = world.run(Fuse(last))
        assert world.lost() == [], f"after a crash at step {last}"
        if ended:
            return count
        assert world.run(Fuse(0))
        world.check_the_end()
    raise AssertionError(f"more than {STEPS} steps")


def run() -> dict[str, int]:
    """Every step there is: the long run's share."""
    with tempfile.TemporaryDirectory() as folder:
        return {"store_crashes": crash_at_steps(Path(folder), 1)}


def test_a_crash_at_every_seventh_step(tmp_path: Path) -> None:
    """The long run has all of them."""
    assert crash_at_steps(tmp_path, 7) > 10


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(crashes=st.lists(st.integers(1, 60), max_size=6))
def test_crashes_in_a_row(tmp_path_factory: pytest.TempPathFactory, crashes: list[int]) -> None:
    world = World(tmp_path_factory.mktemp("crashes") / "dock")
    for last in crashes:
        world.run(Fuse(last))
        assert world.lost() == []
    assert world.run(Fuse(0))
    world.check_the_end()
