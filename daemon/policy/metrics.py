"""The policy service's metrics. Every label has a fixed set of values: never a clip, a person or a stranger's text."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Info

from daemon import __version__
from daemon.model import statements as st
from daemon.runtime.metrics_server import new_registry

_OUTCOMES = ("released", "refused", "revoked", "expired")


class PolicyMetrics:
    """Numbers that the service's loop sets. Counts begin at zero with the process; the record is in the store."""

    def __init__(self) -> None:
        """Creates all metrics in a registry of their own, `registry`."""
        self.registry = registry = new_registry()

        def gauge(name: str, documentation: str) -> Gauge:
            return Gauge(f"bwc_policy_{name}", documentation, registry=registry)

        def counter(name: str, documentation: str, *labels: str) -> Counter:
            return Counter(f"bwc_policy_{name}", documentation, labels, registry=registry)

        self._info = Info("bwc_policy", "The regime it decides by, and its version.", registry=registry)
        self._decisions = counter("decisions", "Decisions that were new or changed.", "outcome")
        self._accepted = counter("attestations_accepted", "Attestations by people that were accepted.", "kind")
        self._refusals = counter("refusals", "Attestations and notices refused, and why.", "kind", "reason")
        self._queries = counter("queries", "Questions that were answered.", "what")
        self._broker = gauge("broker_connected", "Whether the broker is connected: 1 or 0.")
        self._counts = {
            "open_requests": gauge("open_requests", "Requests that are refused so far, and stay open."),
            "live_orders": gauge("live_orders", "Release orders that are in force."),
            "overdue_clips": gauge("overdue_clips", "Clips about which an officer owes a statement past its time."),
            "outbox_messages": gauge("outbox_messages", "Messages that the broker has not taken yet."),
        }
        for outcome in _OUTCOMES:
            self._decisions.labels(outcome)
        for what in ("clips", "words", "decision", "disposal_report"):
            self._queries.labels(what)
        for kind in st.BY_PEOPLE:
            self._accepted.labels(kind.kind)

    def set_regime(self, regime: str) -> None:
        """Sets the name of the regime, and with it the software's version."""
        self._info.info({"regime": regime, "version": __version__})

    def count_decision(self, outcome: str) -> None:
        """Counts a decision: released, refused, revoked or expired."""
        self._decisions.labels(outcome).inc()

    def count_accepted(self, kind: str) -> None:
        """Counts an accepted attestation of this kind."""
        self._accepted.labels(kind).inc()

    def count_query(self, what: str) -> None:
        """Counts an answered question: clips, words, decision or disposal_report."""
        self._queries.labels(what).inc()

    def count_refused(self, kind: str, reason: str) -> None:
        """Counts a refused message.

        `kind` is a kind that people attest, "query", "attestation" or "notice". `reason` is the name of one of our
        errors.
        """
        self._refusals.labels(kind, reason).inc()

    def set_connected(self, connected: bool) -> None:
        """Sets whether the broker is connected."""
        self._broker.set(connected)

    def set_counts(self, counts: Mapping[str, int]) -> None:
        """Sets the numbers that the store counts (`Standings.counts`)."""
        for name, count in counts.items():
            self._counts[name].set(count)
