"""Copying the vault to object storage: one thread, fed from the store, so that a day without the store loses nothing.

For each clip, in the order in which they came:
  1 the sealed file, then its signed files as one object: each stored once, read back and hashed
  2 custody says so (`replicated`, with the sealed file's key), in one transaction with the note of what is held there
  3 what happened meanwhile is noted already; gathered for a while, all signed files and the custody record come anew
Then the custody log's new lines and a checkpoint, gathered as well. A disposed clip's objects are removed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

from daemon.core.lifecycle import State
from daemon.custody.log import Event
from daemon.custody.record import Records
from daemon.dock.context import Dock
from daemon.dock.ingest.read_turns import night_limit
from daemon.dock.loop import Service, StoppedError
from daemon.dock.store.replica import Wanted
from daemon.dock.upkeep import eviction
from daemon.model.config import Replica
from daemon.model.errors import BwcError, ConfigurationError, NotDurableError, TamperedError
from daemon.model.times import format_instant
from daemon.vault.layout import ClipDirectory
from daemon.vault.reading import MissingError, read_document
from daemon.vault.replica import keys as keys
from daemon.vault.replica import small_files
from daemon.vault.replica.objects import Objects

log = logging.getLogger(__name__)
_FIRST_PAUSE = 1.0
_LOOK_EVERY = 30.0
_LINES = 10_000


class Replicator:
    """One thread. A failure puts a clip off, never the others; while the store is away, pauses grow."""

    def __init__(self, dock: Dock, service: Service, objects: Objects, replicated: Callable[[], None]) -> None:
        """`replicated` is called on the service's thread whenever a clip has come to be held by the replica."""
        if dock.config.replica is None:
            raise AssertionError("there is a replica to copy to")
        self._dock, self._service, self._objects, self._replicated = dock, service, objects, replicated
        self._settings: Replica = dock.config.replica
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replicate", daemon=True)
        self._cursor = 0  # what was noted up to here has been tried
        self._log_due = float("-inf")  # when the log's new lines are copied
        self._gathering: dict[str, float] = {}  # clips put off until more has come of them, by the moment they are due
        self._retry_at: float | None = None  # when it is all tried again, because something failed
        self._pause = 0.0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What is under way is begun again at the next start; a store that hangs is not waited for."""
        self._stopping.set()
        self._dock.to_replicate.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._dock.to_replicate.clear()
                self.round()
                self._dock.to_replicate.wait(self._idle_seconds())
        except StoppedError:
            return
        except BaseException as error:  # noqa: BLE001 - whatever it is, the dock stops and says so
            self._service.fail(error)

    def round(self) -> None:
        """Tries whatever is new, and what failed once it is time for that again."""
        if self._retry_at is not None and time.monotonic() >= self._retry_at:
            self._cursor, self._retry_at = 0, None
        while (wanted := self._next()) is not None:
            if (seconds := self._gathers(wanted)) > 0:
                self._gathering.setdefault(wanted.clip.clip_id, self._dock.clock.monotonic() + seconds)
                continue
            self._attempt(wanted.clip.clip_id, partial(self._bring_up, wanted))
            self._make_room()
        if (now := self._dock.clock.monotonic()) >= self._log_due:
            self._log_due = now + self._settings.gather_seconds
            self._attempt(None, self._copy_log)
        self._make_room()

    def _next(self) -> Wanted | None:
        """One that has gathered for long enough, or else the next that was not looked at yet."""
        replica, now = self._dock.replica, self._dock.clock.monotonic()
        while self._gathering:
            clip_id, due = next(iter(self._gathering.items()))
            if due > now:
                break
            del self._gathering[clip_id]
            wanted = self._service.call(partial(replica.wanted, clip_id))
            if wanted is not None:
                return wanted
        wanted = self._service.call(lambda: replica.next_wanted(self._cursor))
        if wanted is not None:
            self._cursor = wanted.turn
        return wanted

    def _idle_seconds(self) -> float:
        """For how long there is nothing to do, if nothing comes."""
        now = self._dock.clock.monotonic()
        waits = [_LOOK_EVERY, self._log_due - now] if self._log_due > now else [_LOOK_EVERY]
        if self._retry_at is not None:
            waits.append(self._retry_at - time.monotonic())
        if self._gathering:
            waits.append(next(iter(self._gathering.values())) - now)
        return max(0.0, min(waits))

    def _make_room(self) -> None:
        self._attempt(
            None, lambda: eviction.make_room(self._dock, self._service, self._objects, self._pace, self._alarm)
        )

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

    def _bring_up(self, wanted: Wanted) -> None:
        if wanted.clip.state == State.DISPOSED:
            self._remove(wanted)
        else:
            self._copy(wanted)

    def _gathers(self, wanted: Wanted) -> float:
        """For how many seconds more is waited for, of a clip that the replica holds."""
        if not wanted.held or wanted.clip.state == State.DISPOSED:
            return 0.0
        gathered = (self._dock.now() - wanted.since).total_seconds()
        return self._settings.gather_seconds - gathered if gathered >= 0 else 0.0

    def _try_again_in(self, seconds: float) -> None:
        """Unless all is tried again earlier."""
        at = time.monotonic() + seconds
        self._retry_at = at if self._retry_at is None else min(at, self._retry_at)

    def _copy(self, wanted: Wanted) -> None:
        """A clip, or what is new of it."""
        dock, clip = self._dock, wanted.clip
        found = dock.vault.find(clip.clip_id)
        if found is None:
            raise MissingError(f"clip {clip.clip_id} is in the store but not in the vault")
        key = keys.sealed_key(clip.clip_id, clip.sealed_sha256)
        if not wanted.held:
            self._objects.put(key, found.sealed, clip.sealed_bytes, self._pace)
            self._must_be_kept(key)
        files, entries = {name: read_document(path) for name, path in _statements(found, wanted)}, 0
        if wanted.held:  # at first the log's lines say it all, and more is to be said at once: `replicated`
            files["custody.json"], entries = self._service.call(lambda: self._record_of(clip.clip_id))
        folded = small_files.fold(files)
        self._objects.put(keys.papers_key(clip.clip_id, entries, folded), folded, len(folded))
        self._service.call(lambda: self._conclude(wanted, key))

    def _must_be_kept(self, key: str) -> None:
        """That the store keeps it as long as it is to: a store that knows no object lock does not say so by itself."""
        days = self._settings.retention_days
        if not days:
            return
        until, wanted = self._objects.kept(key).until, self._dock.now() + timedelta(days=days) - timedelta(hours=1)
        if until is None or until < wanted:
            says = f"only until {format_instant(until)}" if until else "under no object lock"
            raise ConfigurationError(
                f"{self._objects.url}/{key}: kept {says}, [replica] retention_days asks for {days:g} days",
                hint="give the bucket object lock with a default retention of that long, or set retention_days = 0",
            )

    def _remove(self, wanted: Wanted) -> None:
        """A disposed clip's objects. Those under object lock the store keeps, whoever asks; custody says until when."""
        found = list(self._objects.list(keys.clip_prefix(wanted.clip.clip_id)))
        kept = [self._objects.kept(stored.key) for stored in found]
        for stored in found:
            self._objects.remove(stored.key)

        def conclude() -> None:
            if found:
                detail: dict[str, object] = {"url": self._objects.url, "objects": len(found)}
                detail |= {"old_versions": "left to the store"} if any(one.versions for one in kept) else {}
                until = max((one.until for one in kept if one.until), default=None)
                detail |= {"kept_until": format_instant(until)} if until else {}
                self._dock.record(Event("removed", wanted.clip.clip_id, detail))
            self._dock.replica.gone(wanted.clip.clip_id)
            self._dock.replica.done(wanted, format_instant(self._dock.now()))

        self._service.call(conclude)

    def _copy_log(self) -> None:
        """The custody log's lines that the replica lacks, and a checkpoint over all it then has."""
        while (piece := self._service.call(self._next_lines)) is not None:
            first, size, lines, note = piece
            self._objects.put(keys.lines_key(first, lines), lines, len(lines))
            self._objects.put(keys.checkpoint_key(size, note), note, len(note))
            self._service.call(partial(self._dock.store.set, "replica_log", str(size)))

    # on the service's thread

    def _record_of(self, clip_id: str) -> tuple[bytes, int]:
        """The clip's custody record as of now, and how many entries it has."""
        entries = sum(1 for _ in self._dock.custody.of_clip(clip_id))
        return Records(self._dock.custody, self._dock.sign_key).of(clip_id), entries

    def _conclude(self, wanted: Wanted, key: str) -> None:
        dock = self._dock
        clip = dock.store.clip(wanted.clip.clip_id)
        if clip is None or clip.state == State.DISPOSED:
            return  # its removal is noted already
        dock.replica.held(clip)
        dock.replica.done(wanted, format_instant(self._dock.now()))
        if not wanted.held:
            detail = {"url": self._objects.url, "key": key, "sealed_sha256": clip.sealed_sha256}
            dock.record(Event("replicated", clip.clip_id, detail))
            dock.after.append(self._replicated)

    def _next_lines(self) -> tuple[int, int, bytes, bytes] | None:
        dock = self._dock
        first, size = int(dock.store.get("replica_log") or 0), dock.custody.size
        if first >= size:
            return None
        end = min(size, first + _LINES)
        lines = b"".join(line + b"\n" for line in dock.custody.lines(first, end))
        return first, end, lines, dock.custody.checkpoint(dock.sign_key, end).encode()

    def _alarm(self, clip_id: str | None, error: BwcError) -> None:
        """Something else lies where a copy should: said once, recorded, and left as it is for whoever looks into it."""
        problem = str(error)

        def record() -> None:
            if self._dock.first_refusal(f"replica {clip_id} {problem}"):
                log.error("replica: %s", problem, extra={"clip_id": clip_id})
                self._dock.record(Event("damaged", None, {"replica_of": clip_id, "problem": problem[:500]}))

        self._service.call(record)

    # pace

    def _pace(self, size: int) -> None:
        """Waits as long as moving `size` bytes may take. Raises StoppedError when the dock stops."""
        limits = (self._settings.bytes_per_second, night_limit(self._dock.config.ingest, self._dock.clock))
        limit = min((limit for limit in limits if limit > 0), default=0.0)
        self._wait(size / limit if limit else 0.0)

    def _wait(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise StoppedError("the dock is stopping")


def _statements(clip: ClipDirectory, wanted: Wanted) -> Iterator[tuple[str, Path]]:
    """The clip's signed files, by their names in its directory. Of tags only those that custody has."""
    yield "seal.json", clip.seal
    if clip.capture.exists():
        yield "capture.json", clip.capture
    for revision in range(1, wanted.clip.tag_revision + 1):
        yield f"tags/{revision}.json", clip.tag(revision)
    for path in sorted((clip.path / "releases").glob("*.json")):
        if not path.name.startswith("."):  # an order that is just being written
            yield f"releases/{path.name}", path
