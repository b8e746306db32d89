"""The dock as a running service: one loop that owns the store, decides in a transaction, and acts after its commit."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

from daemon.core.lifecycle import State
from daemon.dock import recovery
from daemon.dock.background import SOON, BackgroundBudget
from daemon.dock.camera.mounts import Docked
from daemon.dock.connections import Connections
from daemon.dock.context import DockContext, LoopState, Transaction
from daemon.dock.dispatch import documents
from daemon.dock.dispatch.folder import FolderIntake
from daemon.dock.dispatch.shift_report import ShiftCounter
from daemon.dock.inbox import router
from daemon.dock.ingest.bay_threads import BayThreads
from daemon.dock.ingest.ledger import IngestLedger
from daemon.dock.ingest.mount_watch import MountWatcher
from daemon.dock.ingest.read_turns import ReadTurns
from daemon.dock.loop import StoppedError
from daemon.dock.opening import away_seconds, open_dock, put_in_force
from daemon.dock.upkeep.custody_copies import CustodyCopies
from daemon.dock.upkeep.replicator import Replicator
from daemon.dock.upkeep.scrub import Scrubber
from daemon.dock.upkeep.timekeeping import Timekeeping
from daemon.link.credentials import read_credentials
from daemon.link.mqtt import LinkEvent, Received
from daemon.model.clock import Clock
from daemon.model.config import DockConfig
from daemon.model.documents import Bay
from daemon.model.errors import BwcError, ConfigurationError, NotDurableError
from daemon.runtime.mailbox import Mailbox, Reload
from daemon.runtime.metrics_server import served
from daemon.runtime.service_manager import Notifier
from daemon.seal.keys import load_sign_public
from daemon.seal.trust import load_trust

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

_TICK = 1.0
_TELL_EVERY, _TELL = 0.5, 20
"""While bays are busy: the seconds between rounds of messages, and how many a round has. What the broker answers to a
round is written down together.
"""
_COPY_EVERY = 1.0
"""While bays are busy, seconds between custody copies."""
_GATHER_SECONDS = 0.5
"""How long dispatch documents wait, not yet acknowledged, for more of them: one transaction handles them together."""


@dataclass
class Call:
    """A decision that another thread asks for."""

    decide: Callable[[Transaction], Any]
    future: Future[Any]


@dataclass
class _BaysSeen:
    bays: dict[str, Docked]


@dataclass
class _BayShown:
    identity: str
    bay: Bay


Item = Call | _BaysSeen | _BayShown | Reload | LinkEvent
"""What the loop's mailbox holds."""


class DockService:
    """Composition and loop. `run` returns after `stop`, and raises what stopped it otherwise."""

    def __init__(self, config: DockConfig, clock: Clock, reread: Callable[[], DockConfig] | None = None) -> None:
        """`reread` gives the configuration as it stands in its file when a reload is asked for."""
        self._reread = reread or (lambda: config)
        self.dock: DockContext = open_dock(config, clock)
        self.state = LoopState()
        self.lock_fd = self.dock.vault.lock()
        self.copies = CustodyCopies(self.dock, self.state)
        self._mailbox: Mailbox[Item] = Mailbox(
            _TICK,
            can_wait=lambda item: isinstance(item, Received) and router.can_wait(self.dock, item),
            gather_seconds=_GATHER_SECONDS,
        )
        self._budget = BackgroundBudget(clock, lambda: self._mailbox.waiting)
        self._telling = self._budget.share(_TELL_EVERY, _TELL)
        self._copying = self._budget.share(_COPY_EVERY)
        self._notifier = Notifier()
        self._timekeeping = Timekeeping()
        self.failure: BaseException | None = None
        self._stopped = threading.Event()
        self.dock.metrics.started(config.dock_id, config.ingest.reserve_bytes)
        self.connections = Connections(self.dock, self.state, self._mailbox.put)
        self._announcer = self.connections.announcer
        self.read_turns = ReadTurns(config.ingest, clock, config.zone)
        self.ledger = IngestLedger(self.dock, self)
        self._bays = BayThreads(self.ledger, self.read_turns, away_seconds(self.dock), self._announcer.bay)
        self._watch()

    def _watch(self) -> None:
        """The threads beside the loop."""
        dock, config = self.dock, self.dock.config
        plain = config.ingest.plain_directories
        watcher = MountWatcher(config.mounts, self, self._saw_bays, plain_directories=plain)
        scrubber = Scrubber(dock, self, self._announcer.status)
        shift = ShiftCounter(dock, self, self._announcer.counted)
        self.replicator = Replicator(dock, self, dock.objects, self._bays.wake) if dock.objects is not None else None
        folder = config.activation.folder
        intake = FolderIntake(folder, self, self.receive_file) if folder is not None else None
        workers = (watcher, intake, scrubber, shift, self.replicator)
        self._workers = [worker for worker in workers if worker is not None]

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Recovers, then serves until `stop`. `ready` is called once it is recovered and serving.

        Raises ConfigurationError when the address for metrics cannot be had.
        """
        with served(self.dock.config.metrics.address, self.dock.metrics.registry):
            self._serve(ready)

    def _serve(self, ready: Callable[[], None]) -> None:
        try:
            self._notifier.status("finishing what was interrupted")
            self.recover()
            self.connections.start()
            for worker in self._workers:
                worker.start()
            self._notifier.ready()
            ready()
            for batch in self._mailbox.batches():
                self.step(batch)
                self._notifier.watched(self._in_words, self.connections.publisher, self.connections.consumer)
        finally:
            self._notifier.stopping(f"stopping: {self.failure}" if self.failure else "stopping")
            self._shut_down()
        if self.failure is not None:
            raise self.failure

    def recover(self) -> None:
        """Finishes what was interrupted."""
        self.step([Call(recovery.recover, Future())])

    def stop(self) -> None:
        """Ends `run`, from a signal handler or another thread."""
        self._mailbox.stop()

    def reload(self) -> None:
        """Reads configuration and trust again, from a signal handler."""
        self._mailbox.put(Reload())

    # what other threads ask: daemon.dock.loop.Loop

    def run_in_transaction(
        self, decide: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """See Loop."""
        call = as_call(decide, *args, **kwargs)
        if self._mailbox.stopping:
            raise StoppedError("the dock is stopping")
        self._budget.bay_asked()
        self._mailbox.put(call)
        while not self._stopped.is_set():
            try:
                result: T = call.future.result(timeout=_TICK)
            except TimeoutError:
                continue
            return result
        raise StoppedError("the dock is stopping")

    def show(self, identity: str, bay: Bay) -> None:
        """See Loop."""
        self._mailbox.put(_BayShown(identity, bay))

    def fail(self, error: BaseException) -> None:
        """See Loop."""
        self.failure = self.failure or error
        self.stop()

    def receive_file(self, data: bytes, name: str) -> None:
        """A dispatch document from the watched folder; durable when it returns."""
        self.run_in_transaction(documents.receive, data, name)

    def _saw_bays(self, docked: dict[str, Docked]) -> None:
        self._mailbox.put(_BaysSeen(docked))

    # the loop

    def step(self, items: list[Item]) -> None:
        """One pass: one transaction over everything that came in, then what follows from it."""
        tx = Transaction(self.dock, self.state)
        with self.dock.store.transaction():
            for item in items:
                self._handle(tx, item)
            documents.apply_pending(tx)
            self._tick(tx)
        grown = self.copies.at_once()
        for effect in tx.end():
            effect()
        self.copies.sync_if_due()
        if grown:
            self._announcer.status()
        self._announcer.pump(self._telling.may_run)
        self.copies.deferred(self._copying.may_run)
        self._mailbox.tick_seconds = SOON if self._budget.was_deferred() else _TICK

    def _handle(self, tx: Transaction, item: Item) -> None:
        match item:
            case Call():
                self._decide(tx, item)
            case _BaysSeen():
                tx.after_commit(partial(self._bays.reconcile, item.bays))
            case Reload():
                with self._notifier.reloading():
                    self._reload(tx)
            case _BayShown():
                if self._bays.is_docked(item.bay.bay, item.identity):
                    self._announcer.bay(item.bay)
            case Received():
                router.receive(tx, item, self._acknowledged, self._bays.wake)
                tx.after_commit(partial(self.connections.acknowledge, item))
            case _:
                self.connections.handle(item)

    def _decide(self, tx: Transaction, call: Call) -> None:
        """Runs what another thread asked for; its own error undoes only its own writes."""
        documents.apply_pending(tx)
        try:
            with tx.savepoint():
                result = call.decide(tx)
        except NotDurableError:
            raise
        except BwcError as error:
            tx.after_commit(partial(call.future.set_exception, error))
        else:
            tx.after_commit(partial(call.future.set_result, result))

    def _tick(self, tx: Transaction) -> None:
        self.connections.tick()
        if self._timekeeping.tick(tx):
            self._announcer.status()

    def _reload(self, tx: Transaction) -> None:
        """The settings that a running dock can change take effect. If anything cannot be used, nothing changes."""
        dock = self.dock
        try:
            config = self._reread()
            credentials = read_credentials(config.broker)
            put_in_force(dock, load_trust(dock.config.trust.file, load_sign_public(dock.config.trust.root)))
        except ConfigurationError as error:
            log.error("not reloaded, all stays as it was: %s", error)  # noqa: TRY400 - the message says it all
            return

        def follow() -> None:
            self.connections.renew(config, credentials)
            log.info("trust version %d is in force", dock.trust.get().version)
            self._bays.wake()

        tx.after_commit(follow)

    def _acknowledged(self, before: int) -> None:
        if self._announcer.acknowledged(before):
            self._bays.wake()

    def _in_words(self) -> str:
        count, cameras = self.dock.store.count, len(self._bays)
        locked = count(State.LOCKED) + count(State.QUARANTINED)
        broker = "connected" if self._announcer.connected else "away, what is to be said waits"
        docked = f"{cameras} {'camera' if cameras == 1 else 'cameras'} docked"
        return f"{docked}; {locked} locked, {count(State.RELEASED)} released; broker {broker}"

    def _shut_down(self) -> None:
        self._mailbox.stop()
        self._stopped.set()
        for worker in self._workers:
            worker.stop()
        self._bays.stop()
        self.connections.stop()
        self.dock.store.close()


def as_call(decide: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> Call:
    """A decision with its arguments, to be put before the loop."""
    return Call(lambda tx: decide(tx, *args, **kwargs), Future())
