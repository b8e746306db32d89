"""Scrubbing: everything that lies in the vault is read and checked again, slowly, round after round.

Bits that a disk lost, or that somebody changed, are found while there may still be a copy elsewhere. What is found
is recorded in custody as `damaged` and shown in the dock's status; nothing is ever repaired or removed here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from daemon.custody.evidence import Finding
from daemon.custody.log import NewEntry, open_read_only
from daemon.custody.tree import leaf_hash
from daemon.custody.vault_check import VaultCheckOptions, check_clip, check_log, check_store, clips_of
from daemon.dock.context import DockContext, Transaction
from daemon.dock.loop import Loop, StoppedError
from daemon.dock.store.meta import MetaKey
from daemon.dock.worker import Worker
from daemon.model.custody_actions import CustodyAction
from daemon.model.errors import UnavailableError
from daemon.model.times import format_instant, parse_instant
from daemon.model.types import is_clip_id
from daemon.vault.layout import ClipDirectory

log = logging.getLogger(__name__)
_KEEP_PLACE_EVERY = 100


class Scrubber:
    """One thread. A round that a restart interrupted goes on where it was."""

    def __init__(self, dock: DockContext, loop: Loop, finished: Callable[[], None]) -> None:
        """`finished` is called on the loop's thread once a round's result is durable."""
        self._dock = dock
        self._loop = loop
        self._finished = finished
        self._worker = Worker("scrub", loop, self._work)

    def start(self) -> None:
        """Begins."""
        self._worker.start()

    def stop(self) -> None:
        """Ends it. An object store that hangs is not waited for."""
        self._worker.stop(timeout=5)

    def _work(self, worker: Worker) -> None:
        while True:
            worker.wait(self._loop.run_in_transaction(_seconds_to_wait))
            self._round()

    def _round(self) -> None:
        dock = self._dock
        vault = VaultCheckOptions(
            dock.vault,
            dock.config.agency,
            dock.trust.get(),
            dock.now(),
            read_data=True,
            objects=dock.objects,
            read_objects=False,  # fetching them all again, round after round, would cost; bwc dock check does it
            pace=self._pace,
        )
        cursor, findings = self._loop.run_in_transaction(_place)
        for count, clip in enumerate(clips_of(self._dock.vault), 1):
            place = f"{clip.path.parent.name}/{clip.path.name}"
            if place <= cursor:
                continue
            findings += self._report(self._check(vault, clip))
            if count % _KEEP_PLACE_EVERY == 0:
                self._loop.run_in_transaction(_keep_place, place, findings)
            self._pace(0)
        findings += self._report(self._check_logs(vault))
        self._loop.run_in_transaction(_finish, findings, self._finished)

    def _check(self, vault: VaultCheckOptions, clip: ClipDirectory) -> list[Finding]:
        """A clip's findings. One that changed or moved during the check is looked at again."""
        try:
            return self._check_twice(vault, clip)
        except StoppedError:
            raise
        except UnavailableError as error:
            log.warning("not checked: %s", error, extra={"clip_id": clip.path.name})
            return []

    def _check_twice(self, vault: VaultCheckOptions, clip: ClipDirectory) -> list[Finding]:
        findings = check_clip(vault, clip).findings
        if not findings:
            return []
        now_at = self._dock.vault.find(clip.path.name) if is_clip_id(clip.path.name) else clip
        return check_clip(vault, now_at).findings if now_at is not None and now_at.path.is_dir() else []

    def _check_logs(self, vault: VaultCheckOptions) -> Iterator[Finding]:
        """The vault's copy of the custody log against the store's, and the store's against its own hashes."""
        origin, path = self._dock.custody.origin, self._dock.config.state / "dock.sqlite"
        with open_read_only(path, origin, self._dock.dock_id) as stored:

            def known(number: int) -> bytes | None:
                line = stored.line(number)
                return leaf_hash(line) if line is not None else None

            yield from check_log(vault, known, None)
            yield from check_store(stored, str(path))

    def _report(self, findings: Iterator[Finding] | list[Finding]) -> int:
        count = 0
        for finding in findings:
            count += 1
            log.error("damaged: %s: %s", finding.path, finding.problem, extra={"clip_id": finding.clip_id})
            self._loop.run_in_transaction(_record, finding)
        return count

    def _pace(self, size: int) -> None:
        """Waits as long as reading `size` bytes may take. Raises StoppedError when the dock stops."""
        self._worker.wait(size / self._dock.config.scrub.bytes_per_second)


def _seconds_to_wait(tx: Transaction) -> float:
    """Until the next round; none when one was interrupted."""
    finished = tx.store.get(MetaKey.SCRUBBED_AT)
    if finished is None or tx.store.get(MetaKey.SCRUB_CURSOR) is not None:
        return 0.0
    since = (tx.now() - parse_instant(finished)).total_seconds()
    every = tx.dock.config.scrub.every_seconds
    return min(every, max(0.0, every - since))


def _place(tx: Transaction) -> tuple[str, int]:
    """The clip that the round has come to, and its findings so far."""
    return tx.store.get(MetaKey.SCRUB_CURSOR) or "", int(tx.store.get(MetaKey.SCRUB_FOUND) or 0)


def _keep_place(tx: Transaction, place: str, found: int) -> None:
    tx.store.set(MetaKey.SCRUB_CURSOR, place)
    tx.store.set(MetaKey.SCRUB_FOUND, str(found))


def _record(tx: Transaction, finding: Finding) -> None:
    if tx.first(f"damaged {finding.path} {finding.problem}"):
        within = f"{tx.dock.vault.root}/"
        detail = {"path": finding.path.removeprefix(within), "problem": finding.problem.replace(within, "")[:500]}
        tx.record(NewEntry(CustodyAction.DAMAGED, finding.clip_id, detail))


def _finish(tx: Transaction, findings: int, finished: Callable[[], None]) -> None:
    store = tx.store
    store.set(MetaKey.SCRUBBED_AT, format_instant(tx.now()))
    store.set(MetaKey.SCRUBBED_FOUND, str(findings))
    for key in (MetaKey.SCRUB_CURSOR, MetaKey.SCRUB_FOUND):
        store.unset(key)
    tx.after_commit(finished)
    log.log(logging.ERROR if findings else logging.INFO, "the vault was read and checked: %d findings", findings)
