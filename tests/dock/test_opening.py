"""Opening a dock: what it needs is checked before anything is made, and no older trust takes effect."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.dock.context import DockContext
from daemon.dock.opening import away_seconds, open_dock, open_replica, put_in_force
from daemon.dock.store.meta import MetaKey
from daemon.model.config import DockConfig
from daemon.model.config.dock import ReplicaSettings
from daemon.model.errors import ConfigurationError
from daemon.model.times import format_instant
from tests.kit import agency
from tests.kit.agency import NOW
from tests.kit.dock_fixture import open_house
from tests.kit.policy_fixture import TurnedClock


@pytest.fixture
def config(tmp_path: Path) -> DockConfig:
    """A dock that was never opened: neither state nor vault is there."""
    with open_house(tmp_path) as house:
        made = house.dock.config
    shutil.rmtree(made.state)
    shutil.rmtree(made.vault)
    return made


@contextmanager
def opened(config: DockConfig) -> Iterator[DockContext]:
    dock = open_dock(config, TurnedClock())
    try:
        yield dock
    finally:
        dock.store.close()


def refused(config: DockConfig) -> None:
    with pytest.raises(ConfigurationError), opened(config):
        pass


def enrol(config: DockConfig, **changes: Any) -> None:
    config.trust.file.write_bytes(agency.trust_bytes(**changes))


def in_force(dock: DockContext) -> tuple[str | None, str | None]:
    return dock.store.get(MetaKey.TRUST_VERSION), dock.store.get(MetaKey.TRUST_DIGEST)


def test_a_new_dock_has_all_its_parts(config: DockConfig) -> None:
    with opened(config) as dock:
        assert dock.vault.incoming.is_dir() and (config.state / "dock.sqlite").exists()
        assert (dock.custody.size, dock.store.clips(), dock.objects) == (0, [], None)
        assert in_force(dock) == ("1", agency.trust().digest)
        assert dock.trust.get().digest == agency.trust().digest
        assert agency.sign_pem("dock-1") == dock.trust.get().statement.docks[dock.dock_id]


@pytest.mark.parametrize("what", ["no mounts", "not enrolled", "no trust", "another's root", "no key"])
def test_what_cannot_work_is_said_and_nothing_is_made(config: DockConfig, what: str) -> None:
    match what:
        case "no mounts":
            shutil.rmtree(config.mounts)
        case "not enrolled":
            enrol(config, docks={"dock-2": agency.sign_pem("dock-2")})
        case "no trust":
            config.trust.file.unlink()
        case "another's root":
            config.trust.file.write_bytes(agency.signed(agency.trust_statement(), "nobody").to_bytes())
        case "no key":
            config.sign_key.unlink()
    refused(config)
    assert not config.state.exists() and not config.vault.exists()


def test_an_older_trust_or_another_of_the_same_version_never_follows(config: DockConfig) -> None:
    enrol(config, version=2)
    with opened(config) as dock:
        before = in_force(dock)
    enrol(config, version=1)
    refused(config)
    enrol(config, version=2, cameras={"cam-9": agency.sign_pem("cam-9")})
    refused(config)
    enrol(config, version=2)
    with opened(config) as dock:
        assert in_force(dock) == before
    enrol(config, version=3)
    with opened(config) as dock:
        assert in_force(dock)[0] == "3"


def test_a_running_dock_follows_a_newer_trust_and_keeps_its_own_before_an_older(config: DockConfig) -> None:
    second, first = agency.trust(version=2), agency.trust()
    with opened(config) as dock, dock.store.transaction():
        put_in_force(dock, second)
        assert dock.trust.get() is second
        with pytest.raises(ConfigurationError):
            put_in_force(dock, first)
        assert dock.trust.get() is second
        assert in_force(dock) == ("2", second.digest)


def test_each_dock_has_its_own_place_in_object_storage(config: DockConfig) -> None:
    assert open_replica(config) is None
    replicated = config.model_copy(update={"replica": ReplicaSettings(url="s3://evidence/vaults", region="test")})
    objects = open_replica(replicated)
    assert objects is not None and objects.url == "s3://evidence/vaults/dock-1"
    with opened(replicated) as dock:
        assert dock.objects is not None
        assert dock.store.get(MetaKey.REPLICA_URL) == "s3://evidence/vaults/dock-1"


@pytest.mark.parametrize(("looked", "seconds"), [(None, 0), (timedelta(seconds=90), 90), (-timedelta(seconds=1), 0)])
def test_how_long_nobody_looked_is_known_from_the_time_last_persisted(
    config: DockConfig, looked: timedelta | None, seconds: float
) -> None:
    with opened(config) as dock, dock.store.transaction():
        if looked is not None:
            dock.store.set(MetaKey.LATEST, format_instant(NOW - looked))
        assert away_seconds(dock) == seconds
