"""The dock in numbers. Every label's values are a fixed set: never a clip, a person, or words of a stranger's."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from typing import get_args

from prometheus_client import Counter, Gauge, Histogram, Info

from daemon import __version__
from daemon.core.lifecycle import State
from daemon.model.documents import Bay, BayState, DockStatus
from daemon.model.statements import Integrity
from daemon.runtime.metrics_server import new_registry

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
HELD = (State.LOCKED, State.RELEASED, State.QUARANTINED, State.DISPOSED)
"""States of clips that the dock has taken in."""


class DockMetrics:
    """What the working threads say as they work. Sizes in bytes, times in seconds."""

    def __init__(self) -> None:
        self.registry = registry = new_registry()

        def gauge(name: str, says: str, *labels: str) -> Gauge:
            return Gauge(f"bwc_dock_{name}", says, labels, registry=registry)

        def counter(name: str, says: str, *labels: str) -> Counter:
            return Counter(f"bwc_dock_{name}", says, labels, registry=registry)

        def seconds(name: str, says: str) -> Histogram:
            return Histogram(f"bwc_dock_{name}_seconds", says, registry=registry, buckets=_SECONDS)

        self._info = Info("bwc_dock", "Which dock this is, and its version.", registry=registry)
        self._bays = gauge("bays", "Bays by what they are doing.", "state")
        self._clips = gauge("clips", "Clips that the dock holds or has disposed of, by state.", "state")
        self._read = counter("read_bytes", "Bytes of footage read from cameras.")
        self._taken_in = counter("taken_in_clips", "Clips taken in: durable and in custody.", "integrity")
        self._taken_in_bytes = counter("taken_in_bytes", "Bytes of footage taken in.", "integrity")
        self._sync = seconds("sync", "How long the medium took to make a clip durable; small clips share one sync.")
        self._read_back = seconds("read_back", "How long reading a sealed clip back and checking it took.")
        self._refusals = counter("refusals", "What was refused, and why; repeats count once.", "what", "reason")
        self._backlog = gauge("backlog_notices", "Notices that the policy service has not acknowledged.")
        self._oldest = gauge("oldest_unacknowledged_seconds", "How long the oldest of them has waited.")
        self._broker = gauge("broker_connected", "Whether the broker is connected: 1 or 0.")
        self._scrub_age = gauge("scrub_age_seconds", "Since the vault was last read and checked whole, or the start.")
        self._scrub_findings = gauge("scrub_findings", "What did not hold in that round.")
        self._free = gauge("vault_free_bytes", "Bytes that can still be written to the vault's disk.")
        self._size = gauge("vault_size_bytes", "Size of the vault's disk.")
        self._reserve = gauge("vault_reserve_bytes", "Bytes that must stay free: with fewer, no clip is taken in.")
        self._unreplicated = gauge("unreplicated_clips", "Clips of which something is not in object storage yet.")
        self._oldest_unreplicated = gauge("oldest_unreplicated_seconds", "How long the first of them has waited.")
        self._spool = gauge("spool_bytes", "Bytes of sealed files in the vault, where object storage holds a copy.")
        self._clock = gauge("clock_trusted", "Whether the clock is no earlier than a recorded time: 1 or 0.")
        for state in get_args(BayState):
            self._bays.labels(state)
        for integrity in get_args(Integrity):
            self._taken_in.labels(integrity)
            self._taken_in_bytes.labels(integrity)

    def started(self, dock_id: str, reserve_bytes: int) -> None:
        """Which dock this is; `reserve_bytes` stay free on the vault's disk."""
        self._info.info({"dock_id": dock_id, "version": __version__})
        self._reserve.set(reserve_bytes)

    def bays(self, bays: Iterable[Bay]) -> None:
        """How all bays stand."""
        found = Tally(bay.state for bay in bays)
        for state in get_args(BayState):
            self._bays.labels(state).set(found[state])

    def read(self, size: int) -> None:
        """So many bytes more of footage were read."""
        self._read.inc(size)

    def sealed(self, sync_seconds: float, read_back_seconds: float) -> None:
        """How long the medium took for one sealed clip, in seconds."""
        self._sync.observe(sync_seconds)
        self._read_back.observe(read_back_seconds)

    def took_in(self, integrity: Integrity, size: int) -> None:
        """A clip of `size` bytes was taken in."""
        self._taken_in.labels(integrity).inc()
        self._taken_in_bytes.labels(integrity).inc(size)

    def refused(self, what: str, reason: str) -> None:
        """Both from fixed sets: `reason` is the name of one of our errors, or a word of the caller's."""
        self._refusals.labels(what, reason).inc()

    def broker(self, connected: bool) -> None:
        """Whether the broker is connected."""
        self._broker.set(connected)

    def clock(self, trusted: bool) -> None:
        """Whether the wall clock is trusted."""
        self._clock.set(trusted)

    def replica(self, unreplicated: int, oldest: float, spooled: int) -> None:
        """Clips not yet in the replica, seconds that the oldest has waited, bytes in the vault itself."""
        self._unreplicated.set(unreplicated)
        self._oldest_unreplicated.set(oldest)
        self._spool.set(spooled)

    def standing(
        self, status: DockStatus, clips: Mapping[State, int], *, vault_size: int, scrub_age: float, oldest: float
    ) -> None:
        """What the dock says of itself; how long its `oldest` notice has waited."""
        for state, count in clips.items():
            self._clips.labels(state).set(count)
        self._backlog.set(status.backlog)
        self._oldest.set(oldest)
        self._free.set(status.vault_free_bytes)
        self._size.set(vault_size)
        self._scrub_age.set(scrub_age)
        self._scrub_findings.set(status.scrub_findings)
