"""The policy service as a process: one loop that owns the store, decides in a transaction, and publishes after it.

On PostgreSQL several serve at once. All decide; one leads (`daemon.policy.store`): it publishes what all have to say,
listens to what is retained, and does what time brings. Nothing that another service needs to know is kept in memory.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from functools import partial

from daemon.custody.log import CustodyLog
from daemon.link.credentials import read_credentials
from daemon.link.mqtt import Connected, Disconnected, LinkEvent, MqttClient, Published, Received
from daemon.model.clock import Clock
from daemon.model.config import PolicyConfig
from daemon.model.errors import ConfigurationError
from daemon.model.times import format_instant
from daemon.model.topics import Topics
from daemon.policy.cases import attestations, decisions, disposal, notices
from daemon.policy.context import PolicyContext
from daemon.policy.mqtt.catch_up import CatchUp
from daemon.policy.mqtt.publisher import PUBLISHER, OutboxPublisher
from daemon.policy.mqtt.subscriptions import INBOX, SHARE, Subscriptions
from daemon.policy.rules.regime import find as find_regime
from daemon.policy.store.store import open_store
from daemon.runtime.mailbox import Mailbox, Reload
from daemon.runtime.metrics_server import served
from daemon.runtime.reload import take_effect
from daemon.runtime.service_manager import Notifier
from daemon.seal.keys import keyid, load_sign_public
from daemon.seal.private_keys import load_open_key, load_sign_key
from daemon.seal.trust import Trust, load_trust, parse_trust, refuse_rollback

log = logging.getLogger(__name__)
_REPEAT_EVERY = 5.0
_SCHEDULE_EVERY = 3600.0
_COUNT_EVERY = 10.0
_LOOK_EVERY = 1.0
_AWAY_SECONDS = 15.0
"""How long a leader without a broker keeps others from leading, and leaves it to them then."""
_AT_ONCE = 100
"""Messages in one transaction: with several services, the others wait for its end."""
_GATHER_SECONDS = 0.05
"""How long what docks tell waits for more, unacknowledged: one transaction takes them all in."""
_CATCHING_UP, _REGIME, _MISSED = "catching up", "regime", "missed"
"""What all services know, in the store: whether the leader is catching up, by which regime it decides, and a number
that a service changes when messages may have been lost with its connection.
"""


def open_context(config: PolicyConfig, clock: Clock, *, serve: bool = False) -> PolicyContext:
    """The service's parts, opened and checked; `serve` when they are to serve. Raises ConfigurationError naming what
    cannot be used, UnavailableError for a database server that is not there.
    """
    regime = find_regime(config.regime)
    root = load_sign_public(config.trust.root)
    trust = load_trust(config.trust.file, root)
    sign_key, open_key = load_sign_key(config.sign_key), load_open_key(config.open_key)
    if keyid(open_key.public_key()) != trust.policy_keyid():
        raise ConfigurationError(f"{config.open_key}: not the policy service's open key in {config.trust.file}")
    store = open_store(config, serve=serve)
    custody = CustodyLog(store.db, f"bwc/{config.agency}/policy", "policy", create=False)
    context = PolicyContext(config, clock, store, custody, regime, trust, sign_key, open_key, Topics(config.agency))
    with context.store.transaction():
        put_in_force(context, trust, config.trust.file.read_bytes())
    return context


def put_in_force(context: PolicyContext, trust: Trust, envelope: bytes) -> None:
    """A trust version takes effect. Every earlier one stays known: what was signed under it stays verifiable.

    Raises ConfigurationError for one older than what was in force.
    """
    root = load_sign_public(context.config.trust.root)
    known = [parse_trust(data, root, what="stored trust") for _, data in context.store.trusts()]
    newest = known[-1] if known else trust
    refuse_rollback(trust, newest.version, newest.digest, str(context.config.trust.file))
    for version in (*known, trust):
        context.store.remember_trust(version)
    context.store.add_trust(trust, envelope, format_instant(context.now()))
    context.trust = trust


def follow_trust(context: PolicyContext) -> None:
    """A version that another service put in force is in force here too: a revoked key counts nowhere any more."""
    if context.store.newest_trust() > context.trust.version:
        _, envelope = context.store.trusts()[-1]
        root = load_sign_public(context.config.trust.root)
        put_in_force(context, parse_trust(envelope, root, what="stored trust"), envelope)
        log.info("trust version %d is in force, as another service read it", context.trust.version)


class PolicyService:
    """Composition and loop. `run` returns after `stop`."""

    def __init__(self, config: PolicyConfig, clock: Clock, reread: Callable[[], PolicyConfig] | None = None) -> None:
        """`reread` gives the configuration as it stands in its file when a reload is asked for."""
        self._reread = reread or (lambda: config)
        self._context = context = open_context(config, clock, serve=True)
        self._lead = context.store.lead
        self._mailbox: Mailbox[LinkEvent | Reload] = Mailbox(
            tick_seconds=1.0, most=_AT_ONCE, can_wait=self._can_wait, gather_seconds=_GATHER_SECONDS
        )
        self._notifier = Notifier()
        self._subscriptions = Subscriptions(config, context.topics, self._mailbox.put, shared=self._lead.shared)
        self._publisher: OutboxPublisher | None = None
        self._catch_up_state = CatchUp(context.topics)
        self._waiting = True
        self._members: frozenset[int] = frozenset()
        self._missed: str | None = None
        self._repeated = self._away_since = context.clock.monotonic()
        self._scheduled = self._counted = self._looked = self._resigned = float("-inf")
        context.metrics.started(context.regime.name)

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serves until `stop`. `ready` is called once it is serving.

        Raises ConfigurationError when the address for metrics cannot be had.
        """
        with served(self._context.config.metrics.address, self._context.metrics.registry):
            self._serve(ready)

    def _serve(self, ready: Callable[[], None]) -> None:
        try:
            self._subscriptions.start()
            self._step([])
            self._notifier.ready()
            ready()
            for batch in self._mailbox.batches():
                self._step(batch)
                self._notifier.watched(self._in_words, *self._clients)
        finally:
            self._notifier.stopping("stopping")
            for client in self._clients:
                client.stop()
            self._context.store.close()

    @property
    def _leads(self) -> bool:
        return self._publisher is not None

    @property
    def _connected(self) -> bool:
        return self._subscriptions.connected if self._publisher is None else self._publisher.connected

    @property
    def _clients(self) -> list[MqttClient]:
        return [*self._subscriptions.clients, *([self._publisher.client] if self._publisher else [])]

    def _in_words(self) -> str:
        leads = "leads" if self._leads else "another service leads"
        broker = "connected" if self._connected else "away, what is to be said waits"
        return (
            f"regime {self._context.regime.name}, trust version {self._context.trust.version}; {leads}; broker {broker}"
        )

    def stop(self) -> None:
        """Ends `run`, from a signal handler or another thread."""
        self._mailbox.stop()

    def reload(self) -> None:
        """Reads configuration and trust again, from a signal handler."""
        self._mailbox.put(Reload())

    def _can_wait(self, event: LinkEvent | Reload) -> bool:
        """What docks tell, and what the broker answers, comes in bursts; what people ask for never waits."""
        match event:
            case Published():
                return True
            case Received():
                return self._context.topics.split(event.topic)[:1] == ("dock",)
            case _:
                return False

    def _step(self, batch: list[LinkEvent | Reload]) -> None:
        """One transaction over everything that came in; acknowledged and published only when it is durable."""
        context = self._context
        done: list[Callable[[], None]] = []
        with context.store.transaction():
            now = context.clock.monotonic()
            self._take_lead(now)
            follow_trust(context)
            self._waiting = context.store.get(_CATCHING_UP) is not None
            changed: set[str] = set()
            for event in batch:
                match event:
                    case Reload():
                        with self._notifier.reloading():
                            self._reload(done)
                    case Received():
                        changed |= self._hear(event, now, done)
                    case _:
                        self._link(event, now)
            self._tick(now)
            self._decide(changed, done)
            notices.acknowledge(context)
        for act in done:
            act()
        if self._publisher is not None:
            self._publisher.send()

    # leading

    def _take_lead(self, now: float) -> None:
        """Leads, unless another service does. Whoever does not reach the broker leaves it to those who do.

        No service decides anything before one has begun to lead, and so to catch up: whoever is connected tries to,
        at the beginning of every transaction.
        """
        if (
            self._leads
            or (self._lead.shared and not self._subscriptions.connected)
            or now - self._resigned < _AWAY_SECONDS
        ):
            return
        context = self._context
        if not self._lead.try_lead():
            self._check_regime()
            return
        context.store.set(_REGIME, context.regime.sha256)
        self._publisher = OutboxPublisher(context.config, context.store, self._mailbox.put)
        self._publisher.client.start()
        self._subscriptions.lead(now)
        self._away_since = now
        self._members, self._missed = self._lead.members(), context.store.get(_MISSED)
        self._catch_up_state.begin(now)
        context.store.set(_CATCHING_UP, "1")
        if self._lead.shared:
            log.info("this service leads from now on")

    def _check_regime(self) -> None:
        if self._context.store.get(_REGIME) != self._context.regime.sha256:
            raise ConfigurationError(
                f"regime {self._context.regime.name}: the policy service that leads decides by another",
                hint="give all of them the same regime, then start them again",
            )

    def _resign(self, now: float) -> None:
        """Others may reach the broker."""
        log.warning("no broker for %d s: another service may lead", now - self._away_since)
        for client in self._clients:
            if client.name != SHARE:
                client.stop()
        self._subscriptions.follow()
        self._publisher = None
        self._resigned = now
        self._lead.leave_lead()

    def _link(self, event: LinkEvent, now: float) -> None:
        """What became of a connection."""
        context = self._context
        if event.client == PUBLISHER:
            if self._publisher is None:
                return  # said by a connection that we had while we led
            if self._connected:
                self._away_since = now  # not at each attempt to connect
            self._publisher.link(event, now)
            if isinstance(event, Connected):
                # a dock goes by the last acknowledgement it heard: after a restore from a backup it is too high
                context.heard |= context.trust.statement.docks.keys()
        elif self._subscriptions.link(event, now):
            context.store.set(_MISSED, uuid.uuid4().hex)
        elif isinstance(event, Connected) and event.client == INBOX:
            self._catch_up(now)
            if event.forgotten:  # and with our session, it may be, all that the broker retained
                context.store.add_pending(decisions.say_again(context), format_instant(context.now()))
        context.metrics.broker(self._connected)

    def _catch_up(self, now: float) -> None:
        self._catch_up_state.connected(now)
        self._context.store.set(_CATCHING_UP, "1")
        self._waiting = True

    # hearing and deciding

    def _hear(self, message: Received, now: float, done: list[Callable[[], None]]) -> set[str]:
        """A message that has to wait stays unacknowledged, unless it came by the inbox: then the broker retains it, and
        says it again should we end meanwhile.
        """
        self._catch_up_state.heard(message, now)
        waits = self._waiting and self._catch_up_state.holds(message)
        if message.client == INBOX or not waits:
            done.append(partial(self._subscriptions.ack, message))
        return set() if waits else self._receive(message)

    def _decide(self, changed: set[str], done: list[Callable[[], None]]) -> None:
        """Takes up what waited, and looks again at every clip about which something changed."""
        context = self._context
        if self._waiting:
            context.store.add_pending(changed, format_instant(context.now()))
            return
        for message in self._catch_up_state.release():
            changed |= self._receive(message)
            if message.client != INBOX:
                done.append(partial(self._subscriptions.ack, message))
        now, later = sorted(changed)[: decisions.AT_ONCE], sorted(changed)[decisions.AT_ONCE :]
        for clip_id in now:
            decisions.reconsider(context, clip_id)
        context.store.add_pending(later, format_instant(context.now()))
        if self._leads:
            decisions.take_up(context)

    def _receive(self, message: Received) -> set[str]:
        match self._context.topics.split(message.topic):
            case ("dock", _, "clip", _) if not message.retained:
                return set()  # whatever is new in it is announced as well
            case ("dock", dock_id, "clip" | "announcement" as kind, clip_id):
                whole = kind == "announcement"
                changed = notices.receive(self._context, message.payload, dock_id, clip_id, whole=whole)
                return {changed} if changed else set()
            case ("attestation", person_id, kind, digest):
                return attestations.receive(self._context, message.payload, person_id, kind, digest)
            case _:
                return set()

    # what time brings

    def _tick(self, now: float) -> None:
        self._subscriptions.tick(now, caught_up=self._catch_up_state.over(now))
        if now - self._counted >= _COUNT_EVERY:
            self._counted = now
            self._context.metrics.standing(self._context.store.counts())
        if self._publisher is None:
            return
        self._publisher.tick(now)
        if now - self._looked >= _LOOK_EVERY and self._lead.shared:
            self._looked = now
            self._look_around(now)
        if self._waiting and self._catch_up_state.over(now):
            self._context.store.unset(_CATCHING_UP)
            self._waiting = False
        decisions.expire(self._context)
        decisions.come_due(self._context)
        if now - self._scheduled >= _SCHEDULE_EVERY:
            self._scheduled = now
            disposal.run_schedule(self._context)
        if now - self._repeated >= _REPEAT_EVERY:
            self._repeated = now
            decisions.repeat_orders(self._context)

    def _look_around(self, now: float) -> None:
        """What other services lost is heard again; to whom has a broker, a leader that has none leaves the lead."""
        members, missed = self._lead.members(), self._context.store.get(_MISSED)
        if self._members - members or missed != self._missed:
            log.info("messages may have been lost with a service or its connection: listening to all that is retained")
            self._subscriptions.listen_again(now)
            self._catch_up(now)
        self._members, self._missed = members, missed
        if not self._connected and now - self._away_since >= _AWAY_SECONDS and len(members) > 1:
            self._resign(now)

    # reloading

    def _reload(self, done: list[Callable[[], None]]) -> None:
        """What can takes effect; if anything cannot be used, nothing changes."""
        context, trust = self._context, self._context.config.trust
        try:
            config = self._reread()
            credentials = read_credentials(config.broker)
            put_in_force(context, load_trust(trust.file, load_sign_public(trust.root)), trust.file.read_bytes())
        except (ConfigurationError, OSError) as error:
            log.error("not reloaded, all stays as it was: %s", error)  # noqa: TRY400 - the message says it all
            return

        def follow() -> None:
            if take_effect(context.config, config, credentials, self._clients) and self._publisher is not None:
                self._publisher.link(Disconnected(PUBLISHER, "connecting anew"), context.clock.monotonic())
            log.info("trust version %d is in force", context.trust.version)

        done.append(follow)
