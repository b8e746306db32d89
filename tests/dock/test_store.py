"""The dock's database: what is kept along with every change."""

from __future__ import annotations

from pathlib import Path

from daemon.core.lifecycle import State
from daemon.dock.store import Store
from tests.benchmarks.stores import fill, make_world


def test_the_tally_is_what_counting_would_give(tmp_path: Path) -> None:
    _, config = make_world(tmp_path)
    fill(config, 30)
    store = Store(config.state / "dock.sqlite")
    with store.transaction():
        for number, clip in enumerate(store.clips()):
            if number % 3:
                store.move(clip.clip_id, State.RELEASED if number % 3 == 1 else State.DISPOSED, 1000 + number)
            if number % 9 == 1:
                store.move(clip.clip_id, State.LOCKED, 2000 + number)
            store.mark_erased(clip.clip_id)
    for state in State:
        assert store.count(state) == len(store.clips(state)), state
    assert store.count(State.RELEASED) > 0
    store.close()
