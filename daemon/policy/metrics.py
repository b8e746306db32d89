"""The policy service in numbers. Every label's values are a fixed set: never a clip, a person, a stranger's words."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Info

from daemon import __version__
from daemon.model import statements as st
from daemon.runtime.metrics_server import new_registry

_OUTCOMES = ("released", "refused", "revoked", "expired")


class PolicyMetrics:
    """What the service's loop says as it works. A count begins anew with the process; the record is in the store."""

    def __init__(self) -> None:
        self.registry = registry = new_registry()

        def gauge(name: str, says: str) -> Gauge:
            return Gauge(f"bwc_policy_{name}", says, registry=registry)

        def counter(name: str, says: str, *labels: str) -> Counter:
            return Counter(f"bwc_policy_{name}", says, labels, registry=registry)

        self._info = Info("bwc_policy", "The regime it decides by, and its version.", registry=registry)
        self._decisions = counter("decisions", "Decisions that were new or changed.", "outcome")
        self._accepted = counter("attestations_accepted", "Attestations by people that were accepted.", "kind")
        self._refusals = counter("refusals", "Attestations and notices refused, and why.", "kind", "reason")
        self._broker = gauge("broker_connected", "Whether the broker is connected: 1 or 0.")
        self._standing = {
            "open_requests": gauge("open_requests", "Requests that are refused so far, and stay open."),
            "live_orders": gauge("live_orders", "Release orders that are in force."),
            "overdue_clips": gauge("overdue_clips", "Clips about which an officer owes a statement past its time."),
            "outbox_messages": gauge("outbox_messages", "Messages that the broker has not taken yet."),
        }
        for outcome in _OUTCOMES:
            self._decisions.labels(outcome)
        for kind in st.BY_PEOPLE:
            self._accepted.labels(kind.kind)

    def started(self, regime: str) -> None:
        self._info.info({"regime": regime, "version": __version__})

    def decided(self, outcome: str) -> None:
        self._decisions.labels(outcome).inc()

    def accepted(self, kind: str) -> None:
        self._accepted.labels(kind).inc()

    def refused(self, kind: str, reason: str) -> None:
        """`kind` is one of the kinds people attest, "attestation" or "notice"; `reason` one of our errors' names."""
        self._refusals.labels(kind, reason).inc()

    def broker(self, connected: bool) -> None:
        self._broker.set(connected)

    def standing(self, counts: Mapping[str, int]) -> None:
        """As the store counts them."""
        for name, count in counts.items():
            self._standing[name].set(count)
