"""The policy service as a process: one loop that owns the store. It decides in a transaction and publishes after it.

On PostgreSQL several services can use one store. All of them decide, and one of them leads
(`daemon.policy.mqtt.leadership`). A service keeps nothing in memory that another service has to know.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from daemon.link.credentials import Credentials, read_credentials
from daemon.link.mqtt import Connected, LinkEvent, Received
from daemon.model.clock import Clock
from daemon.model.config import PolicyConfig
from daemon.model.errors import ConfigurationError
from daemon.model.times import format_instant
from daemon.policy.cases import attestations, decisions, notices, orders, reconsideration
from daemon.policy.cases.disposal.schedule import run_schedule
from daemon.policy.mqtt.leadership import Leadership
from daemon.policy.mqtt.publisher import PUBLISHER
from daemon.policy.mqtt.subscriptions import INBOX, can_wait
from daemon.policy.opening import follow_trust, open_context, reread_trust
from daemon.policy.queries.handler import QueryHandler
from daemon.policy.queries.status import STATUS_SECONDS, offline, online
from daemon.runtime.mailbox import Mailbox, Reload, Wake
from daemon.runtime.metrics_server import served
from daemon.runtime.reload import take_effect
from daemon.runtime.service_manager import Notifier

log = logging.getLogger(__name__)
REPEAT_SECONDS = 5.0
"""How often orders are published again that no notice shows yet."""
_SCHEDULE_SECONDS = 3600.0
_AT_ONCE = 100
"""Messages in one transaction. Other services on the store wait until it ends."""
_GATHER_SECONDS = 0.05
"""How long messages from docks wait for more, unacknowledged, so that one transaction handles them all."""


class _Interval:
    """Says when to do something that is done every so many seconds. Times are monotonic."""

    def __init__(self, seconds: float, last: float = float("-inf")) -> None:
        self._seconds = seconds
        self._last = last

    def due(self, now: float) -> bool:
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


class PolicyService:
    """One policy service. `run` serves until `stop` is called."""

    def __init__(
        self,
        config: PolicyConfig,
        clock: Clock,
        read_config: Callable[[], PolicyConfig] | None = None,
        *,
        repeat_seconds: float = REPEAT_SECONDS,
    ) -> None:
        """Opens everything, with the errors of `open_context`.

        `read_config` reads the configuration file again; it is called for a reload.
        """
        self._read_config = read_config or (lambda: config)
        self._context = context = open_context(config, clock, serve=True)
        self._mailbox: Mailbox[LinkEvent | Reload | Wake] = Mailbox(
            tick_seconds=1.0,
            most=_AT_ONCE,
            can_wait=partial(can_wait, context.topics),
            gather_seconds=_GATHER_SECONDS,
        )
        self._notifier = Notifier()
        self._queries = QueryHandler(context)
        self._since = context.now()
        now = clock.monotonic()
        self._leadership = Leadership(
            config, context.store, context.regime, self._mailbox.put, now, offline=partial(offline, context)
        )
        self._repeat_orders = _Interval(repeat_seconds, now)
        self._run_schedule = _Interval(_SCHEDULE_SECONDS)
        self._say_status = _Interval(STATUS_SECONDS)
        context.metrics.set_regime(context.regime.name)

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serves until `stop` is called. Calls `ready` when it has begun to serve.

        Raises ConfigurationError when the metrics cannot be served at their address, and whatever ends the loop.
        """
        with served(self._context.config.metrics.address, self._context.metrics.registry):
            self._serve(ready)

    def stop(self) -> None:
        """Ends `run`. May be called from a signal handler or another thread."""
        self._mailbox.stop()

    def reload(self) -> None:
        """Has the loop read configuration and trust again. May be called from a signal handler."""
        self._mailbox.put(Reload())

    def _serve(self, ready: Callable[[], None]) -> None:
        try:
            self._leadership.start()
            self._step([])
            self._notifier.ready()
            ready()
            for batch in self._mailbox.batches():
                self._step(batch)
                self._notifier.watched(self._status, *self._leadership.clients)
        finally:
            self._notifier.stopping("stopping")
            self._leadership.stop()
            self._context.store.close()

    def _status(self) -> str:
        """How the service is, in words for the service manager."""
        leads = "leads" if self._leadership.leads else "another service leads"
        broker = "connected" if self._leadership.connected else "away, messages wait"
        regime, version = self._context.regime.name, self._context.trust.version
        return f"regime {regime}, trust version {version}; {leads}; broker {broker}"

    def _step(self, batch: list[LinkEvent | Reload | Wake]) -> None:
        """Handles a batch in one transaction. Only when that is durable are messages acknowledged and published."""
        context = self._context
        after_commit: list[Callable[[], None]] = []
        with context.store.transaction():
            now = context.clock.monotonic()
            self._leadership.update(now)
            follow_trust(context)
            changed: set[str] = set()
            for event in batch:
                match event:
                    case Reload():
                        with self._notifier.reloading():
                            self._reload(after_commit)
                    case Wake():
                        pass
                    case Received():
                        changed |= self._receive(event, now, after_commit)
                    case _:
                        self._handle_link(event, now)
            self._tick(now)
            self._reconsider(changed, after_commit)
            notices.acknowledge(context)
            self._answer_queries()
            if self._say_status.due(now):
                after_commit += self._tell_status()
        for act in after_commit:
            act()
        self._leadership.send()

    def _handle_link(self, event: LinkEvent, now: float) -> None:
        """Handles an event of one of the connections that is no message."""
        context = self._context
        self._leadership.handle(event, now)
        match event:
            case Connected(client=client) if client == PUBLISHER and self._leadership.leads:
                self._say_status = _Interval(STATUS_SECONDS)  # at once: the broker may have published that we are gone
                # a dock goes by the last acknowledgement it received; after a restore from a backup that is too high
                context.docks_to_acknowledge |= context.trust.statement.docks.keys()
            case Connected(client=client, forgotten=True) if client == INBOX:
                # the broker lost our session, and may have lost all that it retained
                context.store.add_pending(decisions.republish(context), format_instant(context.now()))
            case _:
                pass
        context.metrics.set_connected(self._leadership.connected)

    # messages

    def _receive(self, message: Received, now: float, after_commit: list[Callable[[], None]]) -> set[str]:
        """Processes a message, or defers it while catching up. Returns the clips to reconsider.

        A deferred message is not acknowledged yet, unless it came by the inbox: then the broker retains it, and sends
        it again if this service ends meanwhile.
        """
        deferred = self._leadership.defer(message, now)
        if message.client == INBOX or not deferred:
            after_commit.append(partial(self._leadership.ack, message))
        return set() if deferred else self._process(message)

    def _process(self, message: Received) -> set[str]:
        match self._context.topics.split(message.topic):
            case ("dock", _, "clip", _) if not message.retained:
                return set()  # the dock announces the same notice with its envelopes
            case ("dock", dock_id, "clip" | "announcement" as kind, clip_id):
                whole = kind == "announcement"
                changed = notices.receive(self._context, message.payload, dock_id, clip_id, whole=whole)
                return {changed} if changed else set()
            case ("attestation", person_id, kind, digest):
                return attestations.receive(self._context, message.payload, person_id, kind, digest)
            case ("query", person_id, query_id):
                self._queries.receive(message.payload, person_id, query_id)
                return set()
            case _:
                return set()

    def _tell_status(self) -> list[Callable[[], None]]:
        """Counts, for the metrics, and for the status if this service leads. Returns what is to be done after it."""
        counts = self._context.store.counts()
        self._context.metrics.set_counts(counts)
        if not (self._leadership.leads and self._leadership.connected):
            return []
        status = online(self._context, counts, self._since, catching_up=self._leadership.catching_up)
        return [partial(self._leadership.say_status, status)]

    def _answer_queries(self) -> None:
        """Answers a few of the questions that wait; if more wait, the loop goes round again at once."""
        if self._queries.waiting and not self._leadership.catching_up:
            self._queries.answer_some()
            if self._queries.waiting:
                self._mailbox.put(Wake())

    def _reconsider(self, changed: set[str], after_commit: list[Callable[[], None]]) -> None:
        """Processes deferred messages, then reconsiders every clip about which something changed."""
        context = self._context
        if self._leadership.catching_up:
            context.store.add_pending(changed, format_instant(context.now()))
            return
        for message in self._leadership.take_deferred():
            changed |= self._process(message)
            if message.client != INBOX:
                after_commit.append(partial(self._leadership.ack, message))
        reconsideration.reconsider_changed(context, changed)
        if self._leadership.leads:
            reconsideration.reconsider_pending(context)

    def _tick(self, now: float) -> None:
        """Does what is due at this time. Orders and deadlines are the leader's."""
        context = self._context
        led = self._leadership.leads  # it may leave the lead now
        self._leadership.tick(now)
        if not led:
            return
        decisions.expire(context)
        reconsideration.reconsider_overdue(context)
        if self._run_schedule.due(now):
            run_schedule(context)
        if self._repeat_orders.due(now):
            orders.repeat(context)

    # reloading

    def _reload(self, after_commit: list[Callable[[], None]]) -> None:
        """Reads configuration, credentials and trust again. If any of them cannot be used, nothing changes."""
        try:
            config = self._read_config()
            credentials = read_credentials(config.broker)
            reread_trust(self._context)
        except (ConfigurationError, OSError) as error:
            log.error("not reloaded, all stays as it was: %s", error)  # noqa: TRY400 - the message says it all
            return
        after_commit.append(partial(self._apply, config, credentials))

    def _apply(self, config: PolicyConfig, credentials: Credentials) -> None:
        """Applies settings that were read again, after the trust read with them is durable."""
        context = self._context
        if take_effect(context.config, config, credentials, self._leadership.clients):
            self._leadership.reconnecting(context.clock.monotonic())
        log.info("trust version %d is in force", context.trust.version)
