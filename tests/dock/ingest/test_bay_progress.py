"""A bay's progress: what is held, what is under way, what was given up."""

from __future__ import annotations

from daemon.dock.ingest.bay_progress import BayProgress
from daemon.model.documents import Bay


def test_progress_adds_up() -> None:
    shown: list[Bay] = []
    standing = BayProgress("bay-1", shown.append)
    for stem, size in (("a", 100), ("b", 50), ("c", 30)):
        standing.saw(stem, size)
    standing.reading(1, 60)
    standing.reading(2, 10)
    assert (shown[-1].bytes_total, shown[-1].bytes_done, shown[-1].clips_done) == (180, 70, 0)
    standing.held("a")
    standing.held("a")
    standing.ended(1)
    standing.set("reading")
    assert (shown[-1].bytes_done, shown[-1].clips_done) == (110, 1)
    standing.ended(2)  # given up
    standing.saw("a", 120)  # it grew after it was held
    standing.gone("c")
    standing.set("waiting", "why")
    assert (shown[-1].bytes_total, shown[-1].bytes_done, shown[-1].clips_total) == (170, 120, 2)
    count = len(shown)
    standing.set("waiting", "why")
    assert len(shown) == count, "nothing changed, nothing is said"


def test_a_held_clip_that_its_camera_erased_still_counts() -> None:
    shown: list[Bay] = []
    standing = BayProgress("bay-1", shown.append)
    standing.saw("a", 100)
    standing.held("a")
    standing.gone("a")
    standing.set("done")
    assert (shown[-1].clips_done, shown[-1].clips_total, shown[-1].bytes_done, shown[-1].bytes_total) == (
        1,
        1,
        100,
        100,
    )
