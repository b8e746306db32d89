"""A lost database made anew where some clips lie in object storage alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.dock.rebuild import Rebuilt, rebuild
from daemon.model.errors import TamperedError, UnavailableError
from tests.dock.upkeep.test_replicator import evict, findings, housed, take_in, until_level
from tests.kit.agency import CLIP, OTHER_CLIP
from tests.kit.bucket import Bucket
from tests.kit.dock_fixture import House
from tests.kit.faulty_store import Faults, proxy
from tests.kit.policy_fixture import TurnedClock

pytestmark = pytest.mark.xdist_group("objects")
FIRST, SECOND = b"evicted" * 500, b"here" * 700


def made_anew(house: House) -> Rebuilt:
    return rebuild(house.dock.config, TurnedClock(), True, lambda _: None)


def one_evicted(house: House) -> None:
    take_in(house, CLIP, FIRST)
    until_level(house)
    evict(house, CLIP)
    take_in(house, OTHER_CLIP, SECOND)
    until_level(house)


def test_what_lies_in_the_store_alone_is_known_again(tmp_path: Path, bucket: Bucket) -> None:
    with housed(tmp_path / "dock", bucket, replica={"spool_bytes": 1 << 40}) as house:
        one_evicted(house)
        entries = house.dock.custody.size
        house.lose_the_database()
        assert made_anew(house) == Rebuilt(2, entries)
    with housed(tmp_path / "dock", bucket, replica={"spool_bytes": 1 << 40}) as house:
        replica = house.dock.replica
        assert replica.is_evicted(CLIP) and not replica.is_evicted(OTHER_CLIP)
        here = house.dock.store.clip(OTHER_CLIP)
        assert here is not None and replica.spooled() == here.sealed_bytes
        until_level(house)
        assert replica.is_held(OTHER_CLIP)
        assert findings(house, tmp_path / "unused") == []
        assert house.look(3) == "done", "the camera's clips are known by their bytes"


def test_what_the_store_no_longer_holds_is_named_and_nothing_is_built(tmp_path: Path, bucket: Bucket) -> None:
    with housed(tmp_path / "dock", bucket, replica={"spool_bytes": 1 << 40}) as house:
        one_evicted(house)
        house.lose_the_database()
        [sealed] = [stored for stored in bucket.objects.list(f"clips/{CLIP}") if "clip.sealed" in stored.key]
        bucket.objects.remove(sealed.key)
        with pytest.raises(TamperedError, match=CLIP):
            made_anew(house)
        assert not (house.dock.config.state / "dock.sqlite").exists()


def test_a_store_that_is_away_builds_nothing(tmp_path: Path, bucket: Bucket) -> None:
    faults = Faults()
    with (
        proxy(bucket.swift.endpoint, faults) as endpoint,
        housed(tmp_path / "dock", bucket, endpoint, replica={"spool_bytes": 1 << 40}) as house,
    ):
        one_evicted(house)
        house.lose_the_database()
        faults.answer = lambda method, path: (503, b"")
        with pytest.raises(UnavailableError):
            made_anew(house)
        assert not (house.dock.config.state / "dock.sqlite").exists()
        faults.answer = lambda method, path: None
        assert made_anew(house).clips == 2
