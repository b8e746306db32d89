"""What the store knows of the replica: who is next, what came while it was being copied, what may be evicted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.core.lifecycle import State
from daemon.dock.store.replica import ReplicaStore
from daemon.dock.store.rows import HeldClip
from daemon.dock.store.store import DockStore
from tests.benchmarks.stores import fill, make_world


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DockStore]:
    _, config = make_world(tmp_path)
    fill(config, 6)
    opened = DockStore(config.state / "dock.sqlite")
    yield opened
    opened.close()


def by_age(store: DockStore) -> list[HeldClip]:
    return sorted(store.clips(), key=lambda clip: clip.ingested_at)


def test_a_clip_keeps_its_turn_and_what_comes_while_it_is_copied_gets_a_new_one(store: DockStore) -> None:
    replica, (first, second, *_) = ReplicaStore(store), by_age(store)
    for clip in (first, second, first):
        replica.want(clip.clip_id, "2023-11-29T21:45:02.120Z")
    wanted = replica.next_job(0)
    assert wanted is not None and wanted.clip == first
    replica.want(first.clip_id, "2023-11-29T21:46:02.120Z")
    replica.done(wanted, "2023-11-29T21:47:02.120Z")
    after = replica.next_job(wanted.turn)
    assert after is not None and after.clip == second
    replica.done(after, "2023-11-29T21:48:02.120Z")
    again = replica.next_job(after.turn)
    assert again is not None and again.clip == first, "it changed while it was being copied"
    assert again == replica.job(first.clip_id)
    assert replica.backlog() == (1, "2023-11-29T21:47:02.120Z"), "what is left came later"
    replica.done(again, "2023-11-29T21:49:02.120Z")
    assert replica.backlog() == (0, None)
    assert replica.next_job(0) is None


def test_the_spool_is_what_adding_up_would_give(store: DockStore) -> None:
    replica, clips = ReplicaStore(store), by_age(store)
    for clip in clips[:4]:
        replica.held(clip)
    for clip in clips[:3]:
        replica.evict(clip.clip_id)
    replica.held(clips[0])
    replica.evict(clips[0].clip_id)
    for number, clip in enumerate((clips[2], clips[3], clips[4])):
        store.move(clip.clip_id, State.DISPOSED, 1000 + number)
        store.move(clip.clip_id, State.DISPOSED, 2000 + number)
    assert replica.spooled() == clips[5].sealed_bytes
    assert replica.evicting() == sorted(clip.clip_id for clip in clips[:3])


def test_the_oldest_may_go_that_is_held_not_disposed_of_and_not_owed_to_its_camera(store: DockStore) -> None:
    replica, clips = ReplicaStore(store), by_age(store)
    store.db.execute("UPDATE clip SET receipted = 0 WHERE clip_id = ?", (clips[1].clip_id,))
    store.db.execute("UPDATE clip SET receipted = 1 WHERE clip_id <> ?", (clips[1].clip_id,))
    for clip in clips[1:]:
        replica.held(clip)
    store.move(clips[2].clip_id, State.DISPOSED, 1000)
    replica.evict(clips[3].clip_id)

    def next_after(clip: HeldClip | None, *, unreceipted: bool = False) -> str | None:
        after = (clip.ingested_at, clip.clip_id) if clip else ("", "")
        found = replica.evictable(after, unreceipted=unreceipted)
        return found.clip_id if found else None

    assert next_after(None) == clips[4].clip_id
    assert next_after(clips[4]) == clips[5].clip_id
    assert next_after(clips[5]) is None
    assert next_after(None, unreceipted=True) == clips[1].clip_id
