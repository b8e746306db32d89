"""Copying the vault to object storage: one thread, fed from the store, so that a day without the store loses nothing.

For each clip, in the order in which they came:
  1 the sealed file, then its signed files as one object: each stored once, read back and hashed
  2 custody says so (`replicated`, with the sealed file's key), in one transaction with the note of what is held there
  3 what happened meanwhile is noted already; gathered for a while, all signed files and the custody record come anew
Then the custody log's new lines and a checkpoint, gathered as well. A disposed clip's objects are removed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

from daemon.core.lifecycle import State
from daemon.custody.log import NewEntry
from daemon.custody.record import Records
from daemon.dock.context import DockContext, Transaction
from daemon.dock.loop import Loop, StoppedError
from daemon.dock.rate_limits import night_limit
from daemon.dock.store.meta import MetaKey
from daemon.dock.store.replica import CopyJob
from daemon.dock.upkeep import eviction
from daemon.dock.worker import Worker
from daemon.model.config import ReplicaSettings
from daemon.model.custody_actions import CustodyAction
from daemon.model.errors import BwcError, ConfigurationError, NotDurableError, TamperedError
from daemon.model.times import format_instant
from daemon.vault.layout import ClipDirectory
from daemon.vault.reading import read_document
from daemon.vault.replica import keys, small_files
from daemon.vault.replica.objects import Objects

log = logging.getLogger(__name__)
_FIRST_PAUSE = 1.0
_LOOK_EVERY = 30.0
_LINES = 10_000


class Replicator:
    """One thread. A clip that fails is put off, and the others go on. While the store is away, pauses grow."""

    def __init__(self, dock: DockContext, loop: Loop, objects: Objects, replicated: Callable[[], None]) -> None:
        """`replicated` is called on the loop's thread whenever a clip has come to be held by the replica."""
        if dock.config.replica is None:
            raise AssertionError("there is a replica to copy to")
        self._dock, self._loop, self.objects, self._replicated = dock, loop, objects, replicated
        self._settings: ReplicaSettings = dock.config.replica
        self._worker = Worker("replicate", loop, self._work)
        self._cursor = 0  # what was noted up to here has been tried
        self._log_due = float("-inf")  # when the log's new lines are copied
        self.gathering: dict[str, float] = {}
        """Clips that wait until more of them can be copied together, and when each is due (monotonic seconds)."""
        self._retry_at: float | None = None  # when it is all tried again, because something failed
        self._pause = 0.0

    def start(self) -> None:
        """Begins."""
        self._worker.start()

    def stop(self) -> None:
        """What is under way is begun again at the next start; a store that hangs is not waited for."""
        self._worker.ask_to_stop()
        self._dock.replica_work.set()
        self._worker.stop(timeout=2)

    def _work(self, worker: Worker) -> None:
        while not worker.stopping:
            self._dock.replica_work.clear()
            self.round()
            self._dock.replica_work.wait(self.idle_seconds())

    def round(self) -> None:
        """Tries whatever is new, and what failed once it is time for that again."""
        if self._retry_at is not None and time.monotonic() >= self._retry_at:
            self._cursor, self._retry_at = 0, None
        while (job := self._next()) is not None:
            if (seconds := self._gathers(job)) > 0:
                self.gathering.setdefault(job.clip.clip_id, self._dock.clock.monotonic() + seconds)
                continue
            self._attempt(job.clip.clip_id, partial(self._bring_up, job))
            self._make_room()
        if (now := self._dock.clock.monotonic()) >= self._log_due:
            self._log_due = now + self._settings.gather_seconds
            self._attempt(None, self._copy_log)
        self._make_room()

    def _next(self) -> CopyJob | None:
        """One that has gathered for long enough, or else the next that was not looked at yet."""
        now = self._dock.clock.monotonic()
        while self.gathering:
            clip_id, due = next(iter(self.gathering.items()))
            if due > now:
                break
            del self.gathering[clip_id]
            job = self._loop.run_in_transaction(_job_of, clip_id)
            if job is not None:
                return job
        job = self._loop.run_in_transaction(_next_job, self._cursor)
        if job is not None:
            self._cursor = job.turn
        return job

    def idle_seconds(self) -> float:
        """For how long there is nothing to do, if nothing comes."""
        now = self._dock.clock.monotonic()
        waits = [_LOOK_EVERY, self._log_due - now] if self._log_due > now else [_LOOK_EVERY]
        if self._retry_at is not None:
            waits.append(self._retry_at - time.monotonic())
        if self.gathering:
            waits.append(next(iter(self.gathering.values())) - now)
        return max(0.0, min(waits))

    def _make_room(self) -> None:
        self._attempt(None, lambda: eviction.make_room(self._dock, self._loop, self.objects, self.pace, self._alarm))

    def _attempt(self, clip_id: str | None, act: Callable[[], None]) -> None:
        try:
            act()
        except (StoppedError, NotDurableError):
            raise
        except BwcError as error:
            self._try_again_in(self._settings.retry_seconds)
            if isinstance(error, TamperedError):
                self._alarm(clip_id, error)
                return
            log.warning("replica: %s", error, extra={"clip_id": clip_id})
            self._pause = min(max(_FIRST_PAUSE, 2 * self._pause), self._settings.retry_seconds)
            self._wait(self._pause)
        else:
            self._pause = 0.0

    def _bring_up(self, job: CopyJob) -> None:
        if job.clip.state == State.DISPOSED:
            self._remove(job)
        else:
            self._copy(job)

    def _gathers(self, job: CopyJob) -> float:
        """For how many seconds a clip that the replica holds still waits, so that more of it is copied together."""
        if not job.held or job.clip.state == State.DISPOSED:
            return 0.0
        gathered = (self._dock.now() - job.since).total_seconds()
        return self._settings.gather_seconds - gathered if gathered >= 0 else 0.0

    def _try_again_in(self, seconds: float) -> None:
        """All is tried again in so many seconds, or earlier if that was said before."""
        at = time.monotonic() + seconds
        self._retry_at = at if self._retry_at is None else min(at, self._retry_at)

    def _copy(self, job: CopyJob) -> None:
        """A clip, or what is new of it."""
        dock, clip = self._dock, job.clip
        found = dock.clip_directory(clip.clip_id)
        key = keys.sealed_key(clip.clip_id, clip.sealed_sha256)
        if not job.held:
            self.objects.put(key, found.sealed, clip.sealed_bytes, self.pace)
            self._must_be_kept(key)
        files, entries = {name: read_document(path) for name, path in _statements(found, job)}, 0
        if job.held:  # the first time, the log's lines say enough, and an entry is about to follow: `replicated`
            files["custody.json"], entries = self._loop.run_in_transaction(_record_of, clip.clip_id)
        packed = small_files.pack(files)
        self.objects.put(keys.papers_key(clip.clip_id, entries, packed), packed, len(packed))
        self._loop.run_in_transaction(_record_copied, job, self.objects.url, key, self._replicated)

    def _must_be_kept(self, key: str) -> None:
        """Checks that the store keeps it long enough: a store without object lock does not say so by itself."""
        days = self._settings.retention_days
        if not days:
            return
        until, job = self.objects.kept(key).until, self._dock.now() + timedelta(days=days) - timedelta(hours=1)
        if until is None or until < job:
            says = f"only until {format_instant(until)}" if until else "under no object lock"
            raise ConfigurationError(
                f"{self.objects.url}/{key}: kept {says}, [replica] retention_days asks for {days:g} days",
                hint="give the bucket object lock with a default retention of that long, or set retention_days = 0",
            )

    def _remove(self, job: CopyJob) -> None:
        """A disposed clip's objects. Those under object lock the store keeps, whoever asks; custody says until when."""
        found = list(self.objects.list(keys.clip_prefix(job.clip.clip_id)))
        kept = [self.objects.kept(stored.key) for stored in found]
        for stored in found:
            self.objects.remove(stored.key)
        detail: dict[str, object] = {"url": self.objects.url, "objects": len(found)}
        detail |= {"old_versions": "left to the store"} if any(one.versions for one in kept) else {}
        until = max((one.until for one in kept if one.until), default=None)
        detail |= {"kept_until": format_instant(until)} if until else {}
        self._loop.run_in_transaction(_record_removed, job, detail)

    def _copy_log(self) -> None:
        """The custody log's lines that the replica lacks, and a checkpoint over all it then has."""
        while (piece := self._loop.run_in_transaction(_next_lines)) is not None:
            first, size, lines, note = piece
            self.objects.put(keys.lines_key(first, lines), lines, len(lines))
            self.objects.put(keys.checkpoint_key(size, note), note, len(note))
            self._loop.run_in_transaction(_note_log_copied, size)

    def _alarm(self, clip_id: str | None, error: BwcError) -> None:
        """Something else lies where a copy should: said once, recorded, and left as it is for whoever looks into it."""
        self._loop.run_in_transaction(_record_damage, clip_id, str(error))

    # pace

    def pace(self, size: int) -> None:
        """Waits as long as moving `size` bytes may take. Raises StoppedError when the dock stops."""
        config = self._dock.config
        limits = (self._settings.bytes_per_second, night_limit(config.ingest, self._dock.clock, config.zone))
        limit = min((limit for limit in limits if limit > 0), default=0.0)
        self._wait(size / limit if limit else 0.0)

    def _wait(self, seconds: float) -> None:
        self._worker.wait(seconds)


def _statements(clip: ClipDirectory, job: CopyJob) -> Iterator[tuple[str, Path]]:
    """The clip's signed files, by their names in its directory. Of tags only those that custody has."""
    yield "seal.json", clip.seal
    if clip.capture.exists():
        yield "capture.json", clip.capture
    for revision in range(1, job.clip.tag_revision + 1):
        yield f"tags/{revision}.json", clip.tag(revision)
    for path in clip.orders():
        yield f"releases/{path.name}", path


# decisions, on the loop's thread


def _job_of(tx: Transaction, clip_id: str) -> CopyJob | None:
    return tx.dock.replica.job(clip_id)


def _next_job(tx: Transaction, after: int) -> CopyJob | None:
    return tx.dock.replica.next_job(after)


def _record_of(tx: Transaction, clip_id: str) -> tuple[bytes, int]:
    """The clip's custody record as of now, and how many entries it has."""
    custody = tx.dock.custody
    return Records(custody, tx.dock.sign_key).of(clip_id), sum(1 for _ in custody.of_clip(clip_id))


def _record_copied(tx: Transaction, job: CopyJob, url: str, key: str, replicated: Callable[[], None]) -> None:
    clip = tx.store.clip(job.clip.clip_id)
    if clip is None or clip.state == State.DISPOSED:
        return  # its removal is noted already
    tx.dock.replica.held(clip)
    tx.dock.replica.done(job, format_instant(tx.now()))
    if not job.held:
        detail = {"url": url, "key": key, "sealed_sha256": clip.sealed_sha256}
        tx.record(NewEntry(CustodyAction.REPLICATED, clip.clip_id, detail))
        tx.after_commit(replicated)


def _record_removed(tx: Transaction, job: CopyJob, detail: dict[str, object]) -> None:
    if detail["objects"]:
        tx.record(NewEntry(CustodyAction.REMOVED, job.clip.clip_id, detail))
    tx.dock.replica.gone(job.clip.clip_id)
    tx.dock.replica.done(job, format_instant(tx.now()))


def _next_lines(tx: Transaction) -> tuple[int, int, bytes, bytes] | None:
    """The next lines that the replica lacks: from which entry, up to which, the lines, a checkpoint over all of it."""
    custody = tx.dock.custody
    first, size = int(tx.store.get(MetaKey.REPLICA_LOG) or 0), custody.size
    if first >= size:
        return None
    end = min(size, first + _LINES)
    lines = b"".join(line + b"\n" for line in custody.lines(first, end))
    return first, end, lines, custody.checkpoint(tx.dock.sign_key, end).encode()


def _note_log_copied(tx: Transaction, size: int) -> None:
    tx.store.set(MetaKey.REPLICA_LOG, str(size))


def _record_damage(tx: Transaction, clip_id: str | None, problem: str) -> None:
    if tx.first(f"replica {clip_id} {problem}"):
        log.error("replica: %s", problem, extra={"clip_id": clip_id})
        tx.record(NewEntry(CustodyAction.DAMAGED, None, {"replica_of": clip_id, "problem": problem[:500]}))
