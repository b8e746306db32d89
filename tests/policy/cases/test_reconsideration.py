"""What is too much for one transaction waits in the store, and is reconsidered later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.model.times import format_instant
from daemon.policy.cases import reconsideration
from tests.kit.policy_fixture import Office, open_office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = open_office(tmp_path)
    yield office
    office.context.store.close()


def test_too_many_clips_are_reconsidered_in_several_transactions(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(reconsideration, "AT_ONCE", 2)
    monkeypatch.setattr(reconsideration, "reconsider", lambda _, clip_id: done.append(clip_id))
    store, clips = office.context.store, ["a", "b", "c", "d", "e"]
    with store.transaction():
        reconsideration.reconsider_changed(office.context, set(clips))
    assert done == clips[:2]
    for expected in (clips[:4], clips, clips):
        with store.transaction():
            reconsideration.reconsider_pending(office.context)
        assert done == expected


def test_a_clip_is_pending_until_its_time_comes(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(reconsideration, "reconsider", lambda _, clip_id: done.append(clip_id))
    store = office.context.store
    office.clock.turn(seconds=3)
    ahead = format_instant(office.clock.now())
    office.clock.turn(seconds=-3)
    with store.transaction():
        store.add_pending(["a"], ahead)
        reconsideration.reconsider_pending(office.context)
        assert done == []
        office.clock.turn(seconds=3)
        reconsideration.reconsider_pending(office.context)
    assert done == ["a"]
