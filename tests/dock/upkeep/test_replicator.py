"""A dock and its replica: what is copied, in which order, once; and what a store that is away or lies costs."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from daemon.core.lifecycle import State
from daemon.core.settle import FileStat
from daemon.custody.evidence import verify_clip
from daemon.custody.vault_check import VaultCheck, VaultCheckOptions
from daemon.dock.ingest.erasure import Candidate, Permitted
from daemon.dock.upkeep.replicator import Replicator
from daemon.dock.worker import Worker
from daemon.model.errors import ConfigurationError, LockedError, TamperedError
from daemon.review.opening import Viewer, open_clip
from daemon.vault.reading import MissingError
from daemon.vault.replica import keys as keys
from daemon.vault.replica import small_files
from daemon.vault.sources import Directory, Replica
from tests.kit import agency
from tests.kit.agency import CLIP, OTHER_CLIP
from tests.kit.bucket import Bucket
from tests.kit.dock_fixture import AGENCY, House, open_house
from tests.kit.faulty_store import Faults, proxy

pytestmark = pytest.mark.xdist_group("objects")
FOOTAGE = b"footage" * 1000


@contextmanager
def housed(root: Path, bucket: Bucket, endpoint: str | None = None, **more: Any) -> Iterator[House]:
    """A dock with a replica in the bucket. `more` is for [ingest], but for `replica`."""
    settings = bucket.folder / "dock.toml"
    settings.write_text(bucket.swift.settings.replace(bucket.swift.endpoint, endpoint or bucket.swift.endpoint))
    replica = {"url": bucket.url, "credentials": str(settings), "retry_seconds": 0.001, "gather_seconds": 0} | more.pop(
        "replica", {}
    )
    with open_house(root, replica=replica, **more) as house:
        house.acknowledge()
        yield house


def take_in(house: House, name: str, data: bytes = FOOTAGE) -> None:
    house.record(name, data)
    house.look(3)


def replicator(house: House) -> Replicator:
    assert house.service.replicator is not None
    return house.service.replicator


def until_level(house: House, rounds: int = 6) -> None:
    """Rounds until nothing is left to copy."""
    for _ in range(rounds):
        replicator(house).round()
        if house.dock.replica.backlog()[0] == 0:
            return
    raise AssertionError(f"still to be copied: {house.dock.replica.backlog()}")


def names(bucket: Bucket, clip_id: str) -> list[str]:
    """The objects of a clip that the store holds, by name."""
    return sorted(stored.key.split("/", 2)[2].rpartition("/")[0] for stored in bucket.objects.list(f"clips/{clip_id}"))


def files(bucket: Bucket, clip_id: str) -> set[str]:
    """The small files of a clip that the store holds."""
    newest = keys.newest(bucket.objects.list(keys.clip_prefix(clip_id)), clip_id)
    assert newest is not None
    return set(small_files.unpack(b"".join(bucket.objects.read(newest.key)), what=newest.key))


def receipts(house: House) -> list[str]:
    folder = house.mount.path / "receipts"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def findings(house: House, folder: Path, *, read_data: bool = True, mirror: bool = False) -> list[str]:
    dock = house.dock
    layout = Replica(dock.objects, folder).mirror() if mirror and dock.objects else dock.vault
    vault = VaultCheckOptions(
        layout, AGENCY, dock.trust.get(), dock.now(), read_data, dock.objects, sealed_elsewhere=mirror
    )
    return [f"{found.path}: {found.problem}" for found in VaultCheck(vault).run(None, lambda _: None)]


def evict(house: House, clip_id: str) -> None:
    """Room is wanted, so much that everything goes that may."""
    house.service.ledger.want_room(1 << 62)
    replicator(house).round()
    house.service.state.room_wanted = 0
    assert house.dock.replica.is_evicted(clip_id)


def test_a_clip_is_copied_once_and_everything_about_it_holds_there(tmp_path: Path, bucket: Bucket) -> None:
    with housed(tmp_path / "dock", bucket) as house:
        take_in(house, CLIP)
        until_level(house)
        [entry] = house.custody("replicated")
        row = house.dock.store.clip(CLIP)
        assert row is not None
        key = keys.sealed_key(CLIP, row.sealed_sha256)
        assert entry["detail"] == {"url": f"{bucket.url}/dock-1", "key": key, "sealed_sha256": row.sealed_sha256}
        found = house.dock.vault.find(CLIP)
        assert found is not None
        assert b"".join(bucket.objects.read(key)) == found.sealed.read_bytes()
        assert names(bucket, CLIP) == ["clip.sealed", "papers.json", "papers.json"]
        assert files(bucket, CLIP) == {"capture.json", "custody.json", "seal.json", "tags/1.json"}
        evidence = verify_clip(
            Replica(bucket.objects, tmp_path / "seen").clip(CLIP), CLIP, AGENCY, house.dock.trust.get()
        )
        assert "replicated" in [entry.action for entry in evidence.custody.entries]
        assert findings(house, tmp_path / "mirror", mirror=True) == []
        before = {stored.key for stored in bucket.objects.list("clips")}
        replicator(house).round()
        assert {stored.key for stored in bucket.objects.list("clips")} == before, "nothing is left to do"


def test_what_happens_later_is_copied_too_and_the_log(tmp_path: Path, bucket: Bucket) -> None:
    with housed(tmp_path / "dock", bucket) as house:
        take_in(house, CLIP)
        until_level(house)
        order = agency.signed(house.release(CLIP), "policy")
        house.hear(house.dock.topics.order("dock-1", CLIP), order.to_bytes())
        until_level(house)
        assert "releases/order-1.release.json" in files(bucket, CLIP)
        revocation = agency.signed(agency.statement("revocation", clip_id=CLIP), "policy")
        house.hear(house.dock.topics.order("dock-1", CLIP), revocation.to_bytes())
        until_level(house)
        assert "releases/order-1.revocation.json" in files(bucket, CLIP)
        mirrored = Replica(bucket.objects, tmp_path / "mirror").mirror()
        lines = (mirrored.custody / "0.jsonl").read_bytes().splitlines()
        assert lines == list(house.dock.custody.lines())
        assert findings(house, tmp_path / "again", mirror=True) == []


def test_what_comes_to_be_said_of_a_clip_is_gathered_for_a_while(tmp_path: Path, bucket: Bucket) -> None:
    with housed(tmp_path / "dock", bucket, replica={"gather_seconds": 30}) as house:
        take_in(house, CLIP)
        replicator(house).round()
        assert house.dock.replica.is_held(CLIP), "the clip itself waits for nothing"
        for _ in range(3):
            house.clock.turn(seconds=9)
            replicator(house).round()
            assert names(bucket, CLIP) == ["clip.sealed", "papers.json"]
        house.clock.turn(seconds=9)
        until_level(house)
        assert names(bucket, CLIP) == ["clip.sealed", "papers.json", "papers.json"]


def test_the_logs_new_lines_are_gathered_as_well(tmp_path: Path, bucket: Bucket) -> None:
    def pieces() -> int:
        return len(list(bucket.objects.list("custody")))

    with housed(tmp_path / "dock", bucket, replica={"gather_seconds": 30}) as house:
        take_in(house, CLIP)
        replicator(house).round()
        assert pieces() == 2, "lines, and a checkpoint over them"
        house.clock.turn(seconds=20)
        take_in(house, OTHER_CLIP)
        replicator(house).round()
        assert house.dock.replica.is_held(OTHER_CLIP)
        assert pieces() == 2
        assert replicator(house).idle_seconds() <= 10
        house.clock.turn(seconds=10)
        replicator(house).round()
        assert pieces() == 4


def test_clips_that_gather_are_not_looked_through_again_when_others_come(tmp_path: Path, bucket: Bucket) -> None:
    with housed(tmp_path / "dock", bucket, replica={"gather_seconds": 30}) as house:
        take_in(house, CLIP)
        replicator(house).round()
        assert list(replicator(house).gathering) == [CLIP]
        gathering = house.dock.replica.job(CLIP)
        assert gathering is not None
        with patch.object(house.dock.replica, "next_job", wraps=house.dock.replica.next_job) as asked:
            take_in(house, OTHER_CLIP)
            replicator(house).round()
        assert all(call.args[0] >= gathering.turn for call in asked.call_args_list) and asked.called
        assert house.dock.replica.is_held(OTHER_CLIP)
        assert replicator(house).idle_seconds() <= 30


def test_quarantined_footage_is_copied_and_its_admission_changes_no_place(tmp_path: Path, bucket: Bucket) -> None:
    with housed(tmp_path / "dock", bucket) as house:
        house.record(CLIP, FOOTAGE, signer="nobody")
        house.look(3)
        until_level(house)
        [row] = house.dock.store.clips(State.QUARANTINED)
        assert "clip.sealed" in names(bucket, row.clip_id)
        assert findings(house, tmp_path / "mirror", mirror=True) == []


def test_receipts_wait_for_the_replica_where_that_is_wanted(tmp_path: Path, bucket: Bucket) -> None:
    away = Faults(answer=lambda method, path: (503, b""))
    wait = {"receipt_when": "replicated"}
    with proxy(bucket.swift.endpoint, away) as endpoint, housed(tmp_path / "dock", bucket, endpoint, **wait) as house:
        take_in(house, CLIP)
        replicator(house).round()
        assert house.look(3) == "waiting"
        assert receipts(house) == []
        away.answer = lambda method, path: None
        woken = threading.Event()
        house.service.replicator = Replicator(house.dock, house.service, replicator(house).objects, woken.set)
        until_level(house)
        assert woken.is_set(), "bays look again at once"
        assert house.look(3) == "done"
        assert receipts(house) == [f"{CLIP}.receipt.json"]


def test_other_bytes_at_its_key_are_an_alarm_and_no_receipt(tmp_path: Path, bucket: Bucket) -> None:
    with housed(tmp_path / "dock", bucket, receipt_when="replicated") as house:
        take_in(house, CLIP)
        row = house.dock.store.clip(CLIP)
        assert row is not None
        key = keys.sealed_key(CLIP, row.sealed_sha256)
        bucket.put(key, bytes(row.sealed_bytes))
        take_in(house, OTHER_CLIP)
        for _ in range(3):
            replicator(house).round()
        assert bucket.get(key) == bytes(row.sealed_bytes), "not overwritten"
        assert [entry["clip_id"] for entry in house.custody("replicated")] == [OTHER_CLIP], "the others go on"
        [alarm] = house.custody("damaged")
        assert alarm["detail"]["replica_of"] == CLIP, "said once"
        house.look(3)
        assert receipts(house) == [f"{OTHER_CLIP}.receipt.json"]
        bucket.objects.remove(key)  # whoever looked into it has taken it away
        until_level(house)
        house.look(3)
        assert len(receipts(house)) == 2


def test_a_store_that_is_away_costs_nothing_but_time(tmp_path: Path, bucket: Bucket) -> None:
    """A day is as long as its clips: what waits is in the store, not in memory."""
    away = Faults(answer=lambda method, path: (503, b""))
    with (
        proxy(bucket.swift.endpoint, away) as endpoint,
        housed(tmp_path / "dock", bucket, endpoint, replica={"retry_seconds": 1e-6}) as house,
    ):
        clips = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(10)]
        for name in clips:
            house.record(name, os.urandom(1000))
        house.look(4)
        assert len(receipts(house)) == len(clips), "sealed is enough for a receipt"
        for _ in range(3):
            replicator(house).round()
        backlog, since = house.dock.replica.backlog()
        assert (backlog, since is not None) == (len(clips), True)
        kept = {name: value for name, value in vars(replicator(house)).items() if isinstance(value, (list, dict, set))}
        assert not any(kept.values()), kept
        away.answer = lambda method, path: None
        until_level(house)
        assert sorted(entry["clip_id"] for entry in house.custody("replicated")) == clips
        for name in clips:
            assert names(bucket, name).count("clip.sealed") == 1


def test_a_damaged_file_in_the_vault_is_not_copied(tmp_path: Path, bucket: Bucket) -> None:
    with housed(tmp_path / "dock", bucket) as house:
        take_in(house, CLIP)
        found = house.dock.vault.find(CLIP)
        assert found is not None
        found.sealed.write_bytes(bytes(found.sealed.stat().st_size))
        replicator(house).round()
        assert house.custody("replicated") == [] and len(house.custody("damaged")) == 1
        assert "clip.sealed" not in names(bucket, CLIP)


def test_a_disposed_clip_goes_from_the_store_too(tmp_path: Path, bucket: Bucket) -> None:
    with housed(tmp_path / "dock", bucket) as house:
        take_in(house, CLIP)
        until_level(house)
        row = house.dock.store.clip(CLIP)
        assert row is not None
        order = agency.statement("disposal", clip_id=CLIP, clip_sha256=row.clip_sha256)
        house.hear(house.dock.topics.order("dock-1", CLIP), agency.signed(order, "policy").to_bytes())
        assert house.custody("disposed")
        until_level(house)
        assert names(bucket, CLIP) == []
        [entry] = house.custody("removed")
        assert entry["detail"]["objects"] == 3
        assert house.dock.replica.spooled() == 0
        replicator(house).round()
        assert len(house.custody("removed")) == 1


def test_a_store_that_knows_no_object_lock_is_not_taken_for_one(
    tmp_path: Path, bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    with housed(tmp_path / "dock", bucket, replica={"retention_days": 180.0}) as house:
        take_in(house, CLIP)
        replicator(house).round()
        assert house.custody("replicated") == []
        assert "object lock" in caplog.text


def test_a_replica_that_comes_later_gets_everything_and_another_url_too(tmp_path: Path, bucket: Bucket) -> None:
    with open_house(tmp_path / "dock") as house:
        house.acknowledge()
        take_in(house, CLIP)
        assert house.dock.replica.backlog()[0] == 0
    for url in (bucket.url, f"{bucket.url}/elsewhere"):
        with housed(tmp_path / "dock", bucket, replica={"url": url}) as house:
            assert house.dock.replica.backlog()[0] == 1
            until_level(house)
            assert "clip.sealed" in [s.key.split("/")[2] for s in house.dock.objects.list(f"clips/{CLIP}")]  # type: ignore[union-attr]
    with open_house(tmp_path / "dock") as house:
        take_in(house, OTHER_CLIP)
    with housed(tmp_path / "dock", bucket, replica={"url": f"{bucket.url}/elsewhere"}) as house:
        until_level(house)
        assert len(house.custody("replicated")) == 3, "what came while there was none; the rest is known"


# eviction


def test_an_evicted_clip_is_as_good_as_one_in_the_vault(tmp_path: Path, bucket: Bucket) -> None:
    with housed(tmp_path / "dock", bucket, replica={"spool_bytes": 1 << 40}) as house:
        take_in(house, CLIP)
        until_level(house)
        order = agency.signed(house.release(CLIP, expires_at=house.clock.now() + timedelta(days=7)), "policy")
        evict(house, CLIP)
        until_level(house)
        found = house.dock.vault.find(CLIP)
        assert found is not None
        assert not found.sealed.exists()
        assert house.dock.replica.spooled() == 0
        assert findings(house, tmp_path) == []
        house.hear(house.dock.topics.order("dock-1", CLIP), order.to_bytes())
        assert house.custody("released"), "an order is carried out all the same"
        until_level(house)
        viewer = Viewer("officer", agency.sign_key("officer"), agency.open_key("officer"))
        about = (CLIP, viewer, AGENCY, house.dock.trust.get(), house.clock.now())
        with pytest.raises(MissingError) as caught:
            open_clip(Directory(house.dock.vault.root), *about, tmp_path / "no.mp4", lambda _: None)
        assert caught.value.hint
        opened = open_clip(Replica(bucket.objects, tmp_path / "a"), *about, tmp_path / "clip.mp4", lambda _: None)
        assert opened.path.read_bytes() == FOOTAGE
        stranger = Viewer("chief", agency.sign_key("chief"), agency.open_key("chief"))
        with pytest.raises(LockedError):
            source = Replica(bucket.objects, tmp_path / "b")
            open_clip(
                source,
                CLIP,
                stranger,
                AGENCY,
                house.dock.trust.get(),
                house.clock.now(),
                tmp_path / "x",
                lambda _: None,
            )
        row = house.dock.store.clip(CLIP)
        assert row is not None
        key = keys.sealed_key(CLIP, row.sealed_sha256)
        data = bytearray(b"".join(bucket.objects.read(key)))
        data[-1] ^= 1
        bucket.put(key, bytes(data))
        [finding] = findings(house, tmp_path)
        assert finding.startswith(f"{bucket.url}/dock-1/{key}")
        assert findings(house, tmp_path, read_data=False) == []
        with pytest.raises(TamperedError):
            source = Replica(bucket.objects, tmp_path / "c")
            open_clip(source, *about, tmp_path / "y.mp4", lambda _: None)
        assert not (tmp_path / "y.mp4").exists()
        bucket.objects.remove(key)
        assert len(findings(house, tmp_path, read_data=False)) == 1


def test_the_oldest_go_first_and_only_as_many_as_must(tmp_path: Path, bucket: Bucket) -> None:
    clips = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(5)]
    bound = 2 * 70_000
    with housed(tmp_path / "dock", bucket, replica={"spool_bytes": bound}) as house:
        for name in clips:
            take_in(house, name, os.urandom(60_000))
            house.clock.turn(seconds=5)
        assert house.dock.replica.spooled() > bound, "nothing goes that is not copied"
        until_level(house)
        assert [entry["clip_id"] for entry in house.custody("evicted")] == clips[:3]
        assert house.dock.replica.spooled() <= bound
        there = [name for name in clips if (house.dock.vault.root / "clips" / name / "clip.sealed").exists()]
        assert there == clips[3:]


def test_what_the_store_lost_or_changed_stays_here_and_is_copied_again(tmp_path: Path, bucket: Bucket) -> None:
    with housed(tmp_path / "dock", bucket, replica={"spool_bytes": 0}) as house:
        for name in (CLIP, OTHER_CLIP):
            take_in(house, name)
        until_level(house)
    with housed(tmp_path / "dock", bucket, replica={"spool_bytes": 1}) as house:
        rows = [house.dock.store.clip(name) for name in (CLIP, OTHER_CLIP)]
        lost, changed = (keys.sealed_key(row.clip_id, row.sealed_sha256) for row in rows if row)
        bucket.objects.remove(lost)
        bucket.put(changed, b"other")
        replicator(house).round()
        assert house.custody("evicted") == []
        assert [entry["detail"]["replica_of"] for entry in house.custody("damaged")] == [OTHER_CLIP]
        replicator(house).round()
        assert [entry["clip_id"] for entry in house.custody("evicted")] == [CLIP], "copied again first"
        assert bucket.objects.has(lost)


def test_another_url_is_refused_while_clips_lie_only_at_the_first(tmp_path: Path, bucket: Bucket) -> None:
    with housed(tmp_path / "dock", bucket, replica={"spool_bytes": 1}) as house:
        take_in(house, CLIP)
        until_level(house)
        assert house.dock.replica.is_evicted(CLIP)
    with pytest.raises(ConfigurationError), housed(tmp_path / "dock", bucket, replica={"url": f"{bucket.url}/other"}):
        pass


def test_a_clip_that_was_evicted_may_be_deleted_from_its_camera_all_the_same(tmp_path: Path, bucket: Bucket) -> None:
    with housed(tmp_path / "dock", bucket, replica={"spool_bytes": 1}, erase_after_seconds=0) as house:
        take_in(house, CLIP)
        until_level(house)
        assert house.dock.replica.is_evicted(CLIP)
        candidate = Candidate(CLIP, CLIP, FileStat(1, 1, 1), read_here=True)
        assert isinstance(house.service.ledger.check_erasable([candidate])[CLIP], Permitted)


def test_no_faster_than_it_may_be_and_at_night_slower(
    tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    night: dict[str, Any] = {"night_bytes_per_second": 500.0, "night_from": "00:00:00", "night_to": "23:59:59"}
    for ingest, seconds in (({}, 10.0), (night, 20.0)):
        replica = {"bytes_per_second": 1000.0}
        with housed(tmp_path / str(seconds), bucket, replica=replica, **ingest) as house:
            waited: list[float] = []
            with monkeypatch.context() as still:
                still.setattr(Worker, "wait", lambda _, seconds, waited=waited: waited.append(seconds))
                replicator(house).pace(10_000)
            assert waited == [seconds]
