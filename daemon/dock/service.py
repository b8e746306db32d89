"""The dock as a running service: one loop that owns the store, decides in a transaction, and acts after its commit."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from daemon.core.lifecycle import State
from daemon.custody.log import CustodyLog
from daemon.dock import recovery
from daemon.dock.background import SOON, Leisure
from daemon.dock.camera.mounts import Docked, MountWatcher
from daemon.dock.context import Dock
from daemon.dock.dispatch import tags
from daemon.dock.dispatch.folder import FolderIntake
from daemon.dock.dispatch.shift_report import ShiftCounter
from daemon.dock.inbox import orders, router
from daemon.dock.ingest.bay import BayThread
from daemon.dock.ingest.read_turns import Turns
from daemon.dock.loop import StoppedError
from daemon.dock.outbox import announcer
from daemon.dock.outbox.announcer import Announcer
from daemon.dock.store.dispatch import DispatchStore
from daemon.dock.store.store import Store
from daemon.dock.upkeep.custody_copies import CustodyCopies
from daemon.dock.upkeep.replicator import Replicator
from daemon.dock.upkeep.scrub import Scrubber
from daemon.link.credentials import read_credentials
from daemon.link.mqtt import Connected, Disconnected, LinkEvent, MqttClient, Received, Subscribed
from daemon.link.retry import Retry
from daemon.model.clock import Clock
from daemon.model.config import DockConfig
from daemon.model.documents import Bay
from daemon.model.errors import BwcError, ConfigurationError, NotDurableError
from daemon.model.times import format_instant, parse_instant
from daemon.model.topics import Topics
from daemon.runtime.mailbox import Mailbox, Reload
from daemon.runtime.metrics_server import served
from daemon.runtime.reload import take_effect
from daemon.runtime.service_manager import Notifier
from daemon.seal.keys import load_sign_public
from daemon.seal.private_keys import load_sign_key
from daemon.seal.trust import Trust, load_trust, refuse_rollback
from daemon.vault.layout import VaultLayout
from daemon.vault.replica.objects import Objects, open_objects

log = logging.getLogger(__name__)
T = TypeVar("T")

_TICK = 1.0
_TELL_EVERY, _TELL = 0.5, 20
"""While bays are busy, seconds between messages, and how many at once: what the broker says to them is written down
together.
"""
_COPY_EVERY = 1.0
"""While bays are busy, seconds between custody copies."""
_GATHER_SECONDS = 0.5
"""How long dispatch documents wait for more, unacknowledged: one transaction works them out together."""
_PERSIST_CLOCK_EVERY = 10.0
_PRUNE_EVERY = 3600.0
_SESSION = 7 * 24 * 3600


@dataclass
class _Call:
    decide: Callable[[], Any]
    future: Future[Any]


@dataclass
class _Looked:
    bays: dict[str, Docked]


@dataclass
class _Shown:
    identity: str
    bay: Bay


_Item = _Call | _Looked | _Shown | Reload | LinkEvent


def open_dock(config: DockConfig, clock: Clock) -> Dock:
    """The dock's parts, opened and checked. Raises ConfigurationError."""
    if not config.mounts.is_dir():
        raise ConfigurationError(f"{config.mounts}: no such directory", hint="it is where bays appear; create it")
    trust = load_trust(config.trust.file, load_sign_public(config.trust.root))
    sign_key = load_sign_key(config.sign_key)
    if config.dock_id not in trust.statement.docks:
        raise ConfigurationError(f"dock {config.dock_id} is not enrolled in {config.trust.file}")
    vault = VaultLayout(config.vault)
    vault.create()
    store = Store(config.state / "dock.sqlite")
    custody = CustodyLog(store.db, f"bwc/{config.agency}/{config.dock_id}", config.dock_id)
    parts = (vault, custody, sign_key, trust, Topics(config.agency), open_replica(config))
    dock = Dock(config, clock, store, DispatchStore(store.db), *parts)
    with store.transaction():
        put_in_force(dock, trust)
        dock.replica.begin(dock.objects.url if dock.objects is not None else None)
    return dock


def open_replica(config: DockConfig) -> Objects | None:
    """This dock's vault in object storage, where one is configured. Raises ConfigurationError."""
    replica = config.replica
    if replica is None:
        return None
    url = f"{replica.url}/{config.dock_id}"
    return open_objects(url, replica.credentials, replica.ca, endpoint=replica.endpoint, region=replica.region)


def put_in_force(dock: Dock, trust: Trust) -> None:
    """A trust version takes effect. Raises ConfigurationError for one older than what was in force."""
    version, digest = dock.store.get("trust_version"), dock.store.get("trust_digest")
    if version is not None and digest is not None:
        refuse_rollback(trust, int(version), digest, str(dock.config.trust.file))
    dock.store.set("trust_version", str(trust.version))
    dock.store.set("trust_digest", trust.digest)
    dock.trust = trust


class DockService:
    """Composition and loop. `run` returns after `stop`, and raises what stopped it otherwise."""

    def __init__(self, config: DockConfig, clock: Clock, reread: Callable[[], DockConfig] | None = None) -> None:
        """`reread` gives the configuration as it stands in its file when a reload is asked for."""
        self._reread = reread or (lambda: config)
        self._dock = dock = open_dock(config, clock)
        self._lock_fd = dock.vault.lock()
        self._copies = CustodyCopies(dock)
        self._mailbox: Mailbox[_Item] = Mailbox(
            _TICK,
            can_wait=lambda item: isinstance(item, Received) and router.can_wait(dock, item),
            gather_seconds=_GATHER_SECONDS,
        )
        self._leisure = Leisure(clock, lambda: self._mailbox.waiting)
        self._telling = self._leisure.share(_TELL_EVERY, _TELL)
        self._copying = self._leisure.share(_COPY_EVERY)
        self._notifier = Notifier()
        self._bays: dict[str, BayThread] = {}
        self._turns = Turns(config.ingest, clock)
        self._failure: BaseException | None = None
        self._stopped = threading.Event()
        self._persisted = float("-inf")
        self._pruned = float("-inf")
        self._trusted = True
        self._unseen = away_seconds(dock)
        self._unheard = Retry()
        topics = dock.topics
        since = dock.now()
        dock.metrics.started(config.dock_id, config.ingest.reserve_bytes)
        self._publisher = MqttClient(
            config.broker,
            f"{config.agency}-{config.dock_id}",
            self._mailbox.put,
            name="publisher",
            will=(topics.status(config.dock_id), announcer.offline(dock, since)),
        )
        self._announcer = Announcer(dock, self._publisher, since)
        self._consumer = MqttClient(
            config.broker,
            f"{config.agency}-{config.dock_id}-inbox",
            self._mailbox.put,
            name="consumer",
            subscriptions=router.subscriptions(dock),
            session_seconds=_SESSION,
        )
        self._watcher = MountWatcher(
            config.mounts,
            lambda bays: self._mailbox.put(_Looked(bays)),
            plain_directories=config.ingest.plain_directories,
        )

        self._scrubber = Scrubber(dock, self, self._announcer.status)
        self._replicator = Replicator(dock, self, dock.objects, self._wake_bays) if dock.objects is not None else None
        self._shift = ShiftCounter(dock, self, self._announcer.counted)
        folder = config.activation.folder
        self._folder = FolderIntake(folder, self._receive_file) if folder is not None else None

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Recovers, then serves until `stop`. `ready` is called once it is recovered and serving.

        Raises ConfigurationError when the address for metrics cannot be had.
        """
        with served(self._dock.config.metrics.address, self._dock.metrics.registry):
            self._serve(ready)

    def _serve(self, ready: Callable[[], None]) -> None:
        try:
            self._notifier.status("finishing what was interrupted")
            self._step([self._as_call(lambda: recovery.recover(self._dock))])
            self._publisher.start()
            self._consumer.start()
            self._watcher.start()
            if self._folder is not None:
                self._folder.start()
            self._scrubber.start()
            self._shift.start()
            if self._replicator is not None:
                self._replicator.start()
            self._notifier.ready()
            ready()
            for batch in self._mailbox.batches():
                self._step(batch)
                self._notifier.watched(self._in_words, self._publisher, self._consumer)
        finally:
            self._notifier.stopping(f"stopping: {self._failure}" if self._failure else "stopping")
            self._shut_down()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Ends `run`, from a signal handler or another thread."""
        self._mailbox.stop()

    def reload(self) -> None:
        """Reads configuration and trust again, from a signal handler."""
        self._mailbox.put(Reload())

    # what bays ask

    def call(self, decide: Callable[[], T]) -> T:
        """Runs `decide` in the loop's transaction; returns once that is durable."""
        item = self._as_call(decide)
        if self._mailbox.stopping:
            raise StoppedError("the dock is stopping")
        self._leisure.asked()
        self._mailbox.put(item)
        while not self._stopped.is_set():
            try:
                result: T = item.future.result(timeout=_TICK)
            except TimeoutError:
                continue
            return result
        raise StoppedError("the dock is stopping")

    def show(self, identity: str, bay: Bay) -> None:
        self._mailbox.put(_Shown(identity, bay))

    def fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self.stop()

    def _receive_file(self, data: bytes, name: str) -> None:
        self.call(lambda: tags.receive(self._dock, data, name))

    # the loop

    def _in_words(self) -> str:
        count, cameras = self._dock.store.count, len(self._bays)
        locked = count(State.LOCKED) + count(State.QUARANTINED)
        broker = "connected" if self._announcer.connected else "away, what is to be said waits"
        docked = f"{cameras} {'camera' if cameras == 1 else 'cameras'} docked"
        return f"{docked}; {locked} locked, {count(State.RELEASED)} released; broker {broker}"

    def _as_call(self, decide: Callable[[], T]) -> _Call:
        return _Call(decide, Future())

    def _step(self, items: list[_Item]) -> None:
        """One transaction over everything that came in, then what follows from it."""
        dock = self._dock
        done: list[Callable[[], None]] = []
        with dock.store.transaction():
            for item in items:
                self._handle(item, done)
            tags.settle(dock)
            self._tick()
        grown = self._copies.at_once()
        after, dock.after = dock.after, []
        for act in (*done, *after):
            act()
        if grown:
            self._announcer.status()
        self._announcer.pump(self._telling.granted)
        self._copies.at_leisure(self._copying.granted)
        self._mailbox.tick_seconds = SOON if self._leisure.put_off() else _TICK

    def _handle(self, item: _Item, done: list[Callable[[], None]]) -> None:
        match item:
            case _Call():
                self._decide(item, done)
            case _Looked():
                done.append(lambda: self._reconcile(item.bays))
            case Reload():
                with self._notifier.reloading():
                    self._reload(done)
            case _Shown():
                thread = self._bays.get(item.bay.bay)
                if thread is not None and thread.identity == item.identity:
                    self._announcer.bay(item.bay)
            case Received():
                router.receive(self._dock, item, self._acknowledged, self._wake_bays)
                done.append(lambda: self._consumer.ack(item))
            case Subscribed():
                if item.refused:
                    log.error("the broker refused a subscription: %s", item.refused)
                    self._unheard.refused(self._dock.clock.monotonic())
                else:
                    self._announcer.listening = True
                    self._announcer.status()
            case Connected() if item.client == "consumer":
                self._unheard.clear()
                if item.forgotten:
                    self._announcer.forgotten()
            case _ if item.client == "publisher":
                self._announcer.handle(item)

    def _reload(self, done: list[Callable[[], None]]) -> None:
        """What can takes effect; if anything cannot be used, nothing changes."""
        dock = self._dock
        try:
            config = self._reread()
            credentials = read_credentials(config.broker)
            put_in_force(dock, load_trust(dock.config.trust.file, load_sign_public(dock.config.trust.root)))
        except ConfigurationError as error:
            log.error("not reloaded, all stays as it was: %s", error)  # noqa: TRY400 - the message says it all
            return

        def follow() -> None:
            if take_effect(dock.config, config, credentials, (self._publisher, self._consumer)):
                self._announcer.handle(Disconnected("publisher", "connecting anew"))
            log.info("trust version %d is in force", dock.trust.version)
            self._wake_bays()

        done.append(follow)

    def _decide(self, item: _Call, done: list[Callable[[], None]]) -> None:
        """Runs one bay's question; its own error undoes only its own writes."""
        tags.settle(self._dock)
        db = self._dock.store.db
        db.execute("SAVEPOINT decision")
        try:
            result = item.decide()
        except NotDurableError:
            raise
        except BwcError as error:
            db.execute("ROLLBACK TO decision")
            done.append(lambda error=error: item.future.set_exception(error))  # type: ignore[misc]
        else:
            done.append(lambda: item.future.set_result(result))
        db.execute("RELEASE decision")

    def _tick(self) -> None:
        """What time alone brings: orders that run out, a clock that went back, the persisted time."""
        dock = self._dock
        if self._unheard.due(dock.clock.monotonic()):
            self._consumer.subscribe()
        orders.expire(dock)
        reading = dock.reading()
        dock.metrics.clock(reading.trusted)
        if reading.trusted != self._trusted:
            self._trusted = reading.trusted
            log.warning(
                "the clock is %s", "trusted again" if reading.trusted else "earlier than a recorded time; all locked"
            )
            for clip in dock.store.clips(State.RELEASED):
                dock.store.move(clip.clip_id, clip.state, dock.store.next_sequence())
        if reading.boot - self._pruned >= _PRUNE_EVERY:
            self._pruned = reading.boot
            dock.dispatch.prune(reading.now - timedelta(days=dock.config.activation.keep_days))
        if reading.boot - self._persisted >= _PERSIST_CLOCK_EVERY:
            self._persisted = reading.boot
            dock.store.keep_remaining(reading.boot)  # counted on the boot clock, whatever the wall clock says
            if reading.trusted:
                dock.latest = reading.now
                dock.store.set("latest", format_instant(reading.now))
            self._announcer.status()

    def _acknowledged(self, before: int) -> None:
        if self._announcer.acknowledged(before):
            self._wake_bays()

    def _wake_bays(self) -> None:
        for thread in self._bays.values():
            thread.wake()

    def _reconcile(self, docked: dict[str, Docked]) -> None:
        """Brings the bay threads in line with what is docked: level-triggered, whatever the hint was."""
        for bay, thread in list(self._bays.items()):
            if bay not in docked or docked[bay].identity != thread.identity:
                del self._bays[bay]
                thread.stop()
                self._announcer.bay(Bay(bay=bay, state="empty"))
        unseen, self._unseen = self._unseen, 0.0
        for bay, camera in docked.items():
            if bay not in self._bays:
                log.info("bay %s: a camera docked", bay, extra={"bay": bay})
                self._bays[bay] = BayThread(self._dock, self, camera, self._turns, unseen)
                self._bays[bay].start()

    def _shut_down(self) -> None:
        self._mailbox.stop()
        self._stopped.set()
        self._watcher.stop()
        self._scrubber.stop()
        self._shift.stop()
        if self._replicator is not None:
            self._replicator.stop()
        if self._folder is not None:
            self._folder.stop()
        for thread in self._bays.values():
            thread.stop()
        if self._announcer.connected:
            status = announcer.offline(self._dock, self._dock.now())
            self._publisher.publish_last(self._dock.topics.status(self._dock.dock_id), status)
        self._publisher.stop()
        self._consumer.stop()
        self._dock.store.close()


def away_seconds(dock: Dock) -> float:
    """For how many seconds nobody has looked at the bays; 0 for a new store or a clock that went back."""
    latest = dock.store.get("latest")
    return max(0.0, (dock.now() - parse_instant(latest)).total_seconds()) if latest else 0.0
