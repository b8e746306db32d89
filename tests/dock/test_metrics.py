"""The dock in numbers: every series stands from the start, and says what is, not what was."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from daemon import __version__
from daemon.core.lifecycle import State
from daemon.dock.metrics import DockMetrics
from daemon.model.documents import Bay, BayState, DockStatus
from daemon.model.statements import Integrity
from tests.kit.agency import NOW


@pytest.fixture
def metrics() -> DockMetrics:
    return DockMetrics()


def value(metrics: DockMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"bwc_dock_{name}", labels)


def standing(metrics: DockMetrics, clips: dict[State, int], **said: Any) -> None:
    status = DockStatus(dock_id="dock-1", state="online", since=NOW, version="1", **said)
    metrics.standing(status, clips, vault_size=1000, scrub_age=60.0, oldest=5.0)


def test_what_has_not_happened_yet_is_none_and_not_absent(metrics: DockMetrics) -> None:
    """An alert on a series that is absent never fires."""
    assert {value(metrics, "bays", state=state) for state in get_args(BayState)} == {0}
    for name in ("taken_in_clips_total", "taken_in_bytes_total"):
        assert {value(metrics, name, integrity=integrity) for integrity in get_args(Integrity)} == {0}, name


def test_it_says_which_dock_it_is(metrics: DockMetrics) -> None:
    metrics.started("dock-1", reserve_bytes=7)
    assert value(metrics, "info", dock_id="dock-1", version=__version__) == 1
    assert value(metrics, "vault_reserve_bytes") == 7


def test_bays_are_counted_anew_each_time(metrics: DockMetrics) -> None:
    metrics.bays([Bay(bay="bay-1", state="reading"), Bay(bay="bay-2", state="reading"), Bay(bay="bay-3", state="done")])
    assert (value(metrics, "bays", state="reading"), value(metrics, "bays", state="done")) == (2, 1)
    metrics.bays(bay for bay in [Bay(bay="bay-1", state="empty")])
    found = {state: value(metrics, "bays", state=state) for state in get_args(BayState)}
    assert found == dict.fromkeys(get_args(BayState), 0) | {"empty": 1}


def test_footage_adds_up(metrics: DockMetrics) -> None:
    for size in (100, 20):
        metrics.read(size)
        metrics.took_in("verified", size)
    metrics.took_in("mismatch", 3)
    assert value(metrics, "read_bytes_total") == 120
    for integrity, clips, size in (("verified", 2, 120), ("mismatch", 1, 3)):
        assert value(metrics, "taken_in_clips_total", integrity=integrity) == clips
        assert value(metrics, "taken_in_bytes_total", integrity=integrity) == size


def test_the_mediums_two_times_are_told_apart(metrics: DockMetrics) -> None:
    metrics.sealed(sync_seconds=0.2, read_back_seconds=3.0)
    metrics.sealed(sync_seconds=0.2, read_back_seconds=3.0)
    assert (value(metrics, "sync_seconds_sum"), value(metrics, "sync_seconds_count")) == (0.4, 2)
    assert (value(metrics, "read_back_seconds_sum"), value(metrics, "read_back_seconds_count")) == (6.0, 2)
    assert (value(metrics, "sync_seconds_bucket", le="0.1"), value(metrics, "sync_seconds_bucket", le="0.25")) == (0, 2)


def test_refusals_are_counted_by_what_and_why(metrics: DockMetrics) -> None:
    for what, reason in (("order", "MalformedError"), ("order", "MalformedError"), ("camera", "unenrolled")):
        metrics.refused(what, reason)
    assert value(metrics, "refusals_total", what="order", reason="MalformedError") == 2
    assert value(metrics, "refusals_total", what="camera", reason="unenrolled") == 1


def test_a_broker_and_a_clock_come_and_go(metrics: DockMetrics) -> None:
    for there in (True, False):
        metrics.broker(there)
        metrics.clock(not there)
        assert (value(metrics, "broker_connected"), value(metrics, "clock_trusted")) == (there, not there)


def test_the_docks_standing(metrics: DockMetrics) -> None:
    standing(metrics, {State.LOCKED: 4, State.RELEASED: 1})
    standing(metrics, {State.LOCKED: 5, State.RELEASED: 0}, backlog=3, vault_free_bytes=400, scrub_findings=2)
    assert value(metrics, "clips", state="locked") == 5
    assert value(metrics, "clips", state="released") == 0
    said = ("backlog_notices", "oldest_unacknowledged_seconds", "vault_free_bytes", "vault_size_bytes")
    assert [value(metrics, name) for name in said] == [3, 5, 400, 1000]
    assert (value(metrics, "scrub_age_seconds"), value(metrics, "scrub_findings")) == (60, 2)


def test_what_object_storage_lacks(metrics: DockMetrics) -> None:
    metrics.replica(unreplicated=2, oldest=90.0, spooled=4096)
    said = ("unreplicated_clips", "oldest_unreplicated_seconds", "spool_bytes")
    assert [value(metrics, name) for name in said] == [2, 90, 4096]


def test_two_docks_in_one_process_do_not_share_their_numbers(metrics: DockMetrics) -> None:
    other = DockMetrics()
    metrics.read(5)
    assert value(other, "read_bytes_total") == 0
