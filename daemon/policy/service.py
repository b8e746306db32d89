"""The policy service as a process: one loop that owns the store, decides in a transaction, and publishes after it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from daemon.custody.log import CustodyLog
from daemon.link.credentials import read_credentials
from daemon.link.mailbox import Mailbox, Reload
from daemon.link.metrics import served
from daemon.link.mqtt import Connected, Disconnected, LinkEvent, MqttClient, Published, Received, Subscribed
from daemon.link.notify import Notifier
from daemon.link.pump import Pump
from daemon.link.reload import take_effect
from daemon.link.retry import Retry
from daemon.model.clock import Clock
from daemon.model.config import PolicyConfig
from daemon.model.errors import ConfigurationError
from daemon.model.times import format_instant
from daemon.model.topics import Topics
from daemon.policy import announced, attestations, decisions, disposal
from daemon.policy.catching_up import CatchingUp
from daemon.policy.desk import Desk
from daemon.policy.regime import find as find_regime
from daemon.policy.store import Store
from daemon.seal.keys import keyid, load_open_key, load_sign_key, load_sign_public
from daemon.seal.trust import Trust, load_trust, parse_trust, refuse_rollback

log = logging.getLogger(__name__)
_SESSION = 7 * 24 * 3600
_REPEAT_EVERY = 5.0
_SCHEDULE_EVERY = 3600.0
_AT_ONCE = 500
_COUNT_EVERY = 10.0


def open_desk(config: PolicyConfig, clock: Clock) -> Desk:
    """The service's parts, opened and checked. Raises ConfigurationError naming what cannot be used."""
    regime = find_regime(config.regime)
    root = load_sign_public(config.trust.root)
    trust = load_trust(config.trust.file, root)
    sign_key, open_key = load_sign_key(config.sign_key), load_open_key(config.open_key)
    if keyid(open_key.public_key()) != trust.policy_keyid():
        raise ConfigurationError(f"{config.open_key}: not the policy service's open key in {config.trust.file}")
    store = Store(config.state / "policy.sqlite")
    custody = CustodyLog(store.db, f"bwc/{config.agency}/policy", "policy")
    desk = Desk(config, clock, store, custody, regime, trust, sign_key, open_key, Topics(config.agency))
    with desk.store.transaction():
        put_in_force(desk, trust, config.trust.file.read_bytes())
    return desk


def put_in_force(desk: Desk, trust: Trust, envelope: bytes) -> None:
    """A trust version takes effect. Every earlier one stays known: what was signed under it stays verifiable.

    Raises ConfigurationError for one older than what was in force.
    """
    root = load_sign_public(desk.config.trust.root)
    known = [parse_trust(data, root, what="stored trust") for _, data in desk.store.trusts()]
    newest = known[-1] if known else trust
    refuse_rollback(trust, newest.version, newest.digest, str(desk.config.trust.file))
    for version in (*known, trust):
        desk.store.know_trust(version)
    desk.store.add_trust(trust, envelope, format_instant(desk.now()))
    desk.trust = trust


class PolicyService:
    """Composition and loop. `run` returns after `stop`."""

    def __init__(self, config: PolicyConfig, clock: Clock, reread: Callable[[], PolicyConfig] | None = None) -> None:
        """`reread` gives the configuration as it stands in its file when a reload is asked for."""
        self._reread = reread or (lambda: config)
        self._desk = desk = open_desk(config, clock)
        self._mailbox: Mailbox[LinkEvent | Reload] = Mailbox(tick_seconds=1.0)
        self._notifier = Notifier()
        self._publisher = MqttClient(config.broker, f"{config.agency}-policy", self._mailbox.put, name="publisher")
        root = desk.topics.root
        self._consumer = MqttClient(
            config.broker,
            f"{config.agency}-policy-inbox",
            self._mailbox.put,
            name="consumer",
            subscriptions=(f"{root}/dock/+/clip/+", f"{root}/attestation/+/+/+"),
            session_seconds=_SESSION,
        )
        self._pump = Pump(self._publisher)
        self._cursor = 0
        self._repeated = desk.clock.monotonic()
        self._scheduled = self._counted = float("-inf")
        desk.metrics.started(desk.regime.name)
        self._refused, self._unheard = Retry(), Retry()
        self._catching_up = CatchingUp(desk.topics)
        self._changed: set[str] = set()

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serves until `stop`. `ready` is called once it is serving.

        Raises ConfigurationError when the address for metrics cannot be had.
        """
        with served(self._desk.config.metrics.address, self._desk.metrics.registry):
            self._serve(ready)

    def _serve(self, ready: Callable[[], None]) -> None:
        try:
            self._publisher.start()
            self._consumer.start()
            self._notifier.ready()
            ready()
            for batch in self._mailbox.batches():
                self._step(batch)
                self._notifier.watched(self._in_words, self._publisher, self._consumer)
        finally:
            self._notifier.stopping("stopping")
            self._publisher.stop()
            self._consumer.stop()
            self._desk.store.close()

    def _in_words(self) -> str:
        broker = "connected" if self._pump.connected else "away, what is to be said waits"
        return f"regime {self._desk.regime.name}, trust version {self._desk.trust.version}; broker {broker}"

    def stop(self) -> None:
        """Ends `run`, from a signal handler or another thread."""
        self._mailbox.stop()

    def reload(self) -> None:
        """Reads configuration and trust again, from a signal handler."""
        self._mailbox.put(Reload())

    def _step(self, batch: list[LinkEvent | Reload]) -> None:
        """One transaction over everything that came in; acknowledged and published only when it is durable."""
        desk = self._desk
        done: list[Callable[[], None]] = []
        with desk.store.transaction():
            now = desk.clock.monotonic()
            for event in batch:
                match event:
                    case Reload():
                        with self._notifier.reloading():
                            self._reload(done)
                    case Received():
                        if not self._catching_up.holds(event, now):
                            self._changed |= self._receive(event)
                        done.append(partial(self._consumer.ack, event))
                    case Subscribed():
                        if event.refused:
                            log.error("the broker refused a subscription: %s", event.refused)
                            self._unheard.refused(now)
                    case Connected() if event.client == "consumer":
                        self._connected(event, now)
                    case _ if event.client == "publisher":
                        self._link(event)
            if self._catching_up.over(now):
                self._decide()
            self._tick()
            for dock_id in sorted(desk.unacknowledged):
                desk.store.post(desk.topics.ack(dock_id), announced.acknowledgement(desk, dock_id), retain=True)
            desk.unacknowledged.clear()
        for act in done:
            act()
        self._send()

    def _connected(self, event: Connected, now: float) -> None:
        self._unheard.clear()
        self._catching_up.connected(now)
        if event.forgotten:  # and with our session, it may be, all that the broker retained
            self._changed |= decisions.say_again(self._desk)

    def _reload(self, done: list[Callable[[], None]]) -> None:
        """What can takes effect; if anything cannot be used, nothing changes."""
        desk, trust = self._desk, self._desk.config.trust
        try:
            config = self._reread()
            credentials = read_credentials(config.broker)
            put_in_force(desk, load_trust(trust.file, load_sign_public(trust.root)), trust.file.read_bytes())
        except (ConfigurationError, OSError) as error:
            log.error("not reloaded, all stays as it was: %s", error)  # noqa: TRY400 - the message says it all
            return

        def follow() -> None:
            if take_effect(desk.config, config, credentials, (self._publisher, self._consumer)):
                self._link(Disconnected("publisher", "connecting anew"))
            log.info("trust version %d is in force", desk.trust.version)

        done.append(follow)

    def _decide(self) -> None:
        """Takes up what waited, and looks again at every clip about which something changed."""
        for message in self._catching_up.release():
            self._changed |= self._receive(message)
        for clip_id in sorted(self._changed)[:_AT_ONCE]:
            decisions.reconsider(self._desk, clip_id)
            self._changed.remove(clip_id)

    def _receive(self, message: Received) -> set[str]:
        match self._desk.topics.split(message.topic):
            case ("dock", dock_id, "clip", clip_id):
                changed = announced.receive(self._desk, message.payload, dock_id, clip_id)
                return {changed} if changed else set()
            case ("attestation", person_id, kind, digest):
                return attestations.receive(self._desk, message.payload, person_id, kind, digest)
            case _:
                return set()

    def _link(self, event: Any) -> None:
        match event:
            case Connected():
                self._pump.reset(connected=True, max_packet=event.max_packet)
                self._cursor = 0
                self._refused.clear()
                # a dock goes by the last acknowledgement it heard: after a restore from a backup it is too high
                self._desk.unacknowledged |= self._desk.trust.statement.docks.keys()
            case Disconnected():
                if self._pump.connected:
                    log.warning("broker lost: %s; everything waits in the store", event.reason)
                self._pump.reset(connected=False)
            case Published():
                if not self._pump.published(event, lambda key: self._desk.store.sent(int(str(key)))):
                    self._refused.refused(self._desk.clock.monotonic())
            case _:
                pass
        self._desk.metrics.broker(self._pump.connected)

    def _tick(self) -> None:
        decisions.expire(self._desk)
        decisions.catch_up(self._desk)
        now = self._desk.clock.monotonic()
        if self._refused.due(now):
            self._cursor = 0
        if self._unheard.due(now):
            self._consumer.subscribe()
        if now - self._scheduled >= _SCHEDULE_EVERY:
            self._scheduled = now
            disposal.run_schedule(self._desk)
        if now - self._repeated >= _REPEAT_EVERY:
            self._repeated = now
            decisions.repeat_orders(self._desk)
        if now - self._counted >= _COUNT_EVERY:
            self._counted = now
            self._desk.metrics.standing(self._desk.store.counts())

    def _send(self) -> None:
        while self._pump.has_room:
            posts = self._desk.store.posted(self._cursor, 20)
            if not posts:
                return
            for post_id, topic, payload, retain in posts:
                if not self._pump.has_room or not self._pump.send(post_id, topic, payload, retain=retain):
                    return
                self._cursor = post_id
