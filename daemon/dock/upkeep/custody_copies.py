"""The custody log's copies in the vault, made after each commit and before anything leaves the dock.

`custody/<first>.jsonl` holds the lines, 10,000 a file, `custody/checkpoint.txt` the checkpoint over them, and
`clips/<clip_id>/custody.json` what a viewer verifies.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path

from daemon.custody.log import CustodyLog
from daemon.custody.record import Records
from daemon.dock.context import DockContext, LoopState
from daemon.dock.store.meta import MetaKey
from daemon.model import strict_json
from daemon.model.errors import TamperedError
from daemon.seal.keys import SignKey
from daemon.vault import durable
from daemon.vault.layout import VaultLayout

log = logging.getLogger(__name__)
LINES_A_FILE = 10_000
_SYNC_EVERY = 200
_A_TURN = 20
_TOGETHER = 100


class CustodyFiles:
    """Keeps the vault's copies up with the store. `durable_size`: how many lines are durable in the vault."""

    def __init__(self, vault: VaultLayout, log: CustodyLog, key: SignKey) -> None:
        self._vault = vault
        self._log = log
        self._key = key
        self._signed = -1  # how many lines the checkpoint in the vault covers
        self._end = 0  # bytes of the newest file that hold durable lines
        self.durable_size = self._find_size()

    def follow(self) -> None:
        """Appends the lines that are new. Durable when it returns.

        After a failure the same lines are written again, over whatever part of them got into the file.
        """
        size = self._log.size
        while self.durable_size < size:
            first = self.durable_size // LINES_A_FILE * LINES_A_FILE
            if first == self.durable_size:
                self._end = 0
            end = min(size, first + LINES_A_FILE)
            data = b"".join(line + b"\n" for line in self._log.lines(self.durable_size, end))
            path = self._vault.custody / f"{first}.jsonl"
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            try:
                os.lseek(fd, self._end, os.SEEK_SET)
                durable.write_all(fd, data)
                durable.fsync(fd, str(path))
            finally:
                os.close(fd)
            if self._end == 0:
                durable.fsync_directory(path.parent)
            self.durable_size, self._end = end, self._end + len(data)
        if self._signed != size:
            self._write_checkpoint(size)

    def _write_checkpoint(self, size: int) -> None:
        """A signed checkpoint over all lines. Derived, so not synced: after a power cut it is made again at start."""
        note = self._log.checkpoint(self._key, size).encode()
        fd = os.open(self._vault.checkpoint, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            durable.write_all(fd, note)  # in place: replacing a file makes some filesystems flush it
            os.ftruncate(fd, len(note))
        finally:
            os.close(fd)
        self._signed = size

    def refuse_rollback(self) -> None:
        """Raises TamperedError when the vault holds more of the log than the store: the store was set back."""
        if self.durable_size > self._log.size:
            raise TamperedError(
                f"the vault's custody log has {self.durable_size} entries, the store only {self._log.size}: "
                "the store was rolled back",
                hint="restore the store's newest state; nothing is taken in until both agree",
            )

    def _find_size(self) -> int:
        """How many whole lines the newest file ends with; a torn last line (a crash while appending) is cut off."""
        names = [int(path.stem) for path in self._vault.custody.glob("*.jsonl") if path.stem.isdigit()]
        if not names:
            return 0
        first = max(names)
        path = self._vault.custody / f"{first}.jsonl"
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            with path.open("r+b") as file:
                file.truncate(whole)
                durable.fsync(file.fileno(), str(path))
        self._end = whole
        return first + data.count(b"\n", 0, whole)


class CustodyCopies:
    """When the copies are made: most after each commit, what can wait when nobody waits for the loop."""

    def __init__(self, dock: DockContext, state: LoopState) -> None:
        """Raises TamperedError when the vault holds more of the log than the store."""
        self._dock = dock
        self._state = state
        self._files = CustodyFiles(dock.vault, dock.custody, dock.sign_key)
        self._files.refuse_rollback()

    def at_once(self) -> bool:
        """After each commit: the log's lines, and what must be seen now. Returns whether the log has grown."""
        state, before = self._state, self._files.durable_size
        due, state.copies_due = state.copies_due, set()
        state.copies_deferred -= due
        try:
            self._files.follow()
            write_clip_custody(self._dock, due)
        except OSError as error:
            self._no_room(error)
            state.copies_due |= due
        else:
            state.custody_behind = False
        return self._files.durable_size > before

    def deferred(self, may_run: Callable[[], bool]) -> None:
        """The rest, a few clips at a time, asking `may_run` before each."""
        state = self._state
        while state.copies_deferred and not state.custody_behind and may_run():
            clip_ids = {state.copies_deferred.pop() for _ in range(min(_A_TURN, len(state.copies_deferred)))}
            try:
                write_clip_custody(self._dock, clip_ids)
            except OSError as error:
                self._no_room(error)
                state.copies_deferred |= clip_ids

    def sync_if_due(self) -> None:
        """Now and then makes all clips' records durable at once, and notes up to which entry that holds."""
        dock, size = self._dock, self._dock.custody.size
        behind = self._state.custody_behind or self._state.copies_deferred
        if not behind and size - _synced_size(dock) >= _SYNC_EVERY:
            durable.sync_filesystem(dock.vault.root)
            dock.store.set(MetaKey.CUSTODY_SYNCED, str(size))

    def _no_room(self, error: OSError) -> None:
        """Without room for custody no receipt is written. Raises anything else."""
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise error
        if not self._state.custody_behind:
            log.warning("the vault's disk is full: custody waits in the store, and no receipt is written")
        self._state.custody_behind = True


def write_clip_custody(dock: DockContext, clip_ids: set[str]) -> None:
    """The clips' own entries with inclusion proofs and the checkpoint that covers them.

    Derived from the log, so they are replaced whole but not synced: what a power cut may take is made again at start.
    """
    if clip_ids:
        records = Records(dock.custody, dock.sign_key)
        ids = sorted(clip_ids)
        for start in range(0, len(ids), _TOGETHER):
            for clip_id, record in records.of_all(ids[start : start + _TOGETHER]).items():
                clip = dock.vault.find(clip_id)
                if clip is not None:
                    _put(clip.custody, record)


def _put(path: Path, data: bytes) -> None:
    """The first record is written in its place: nobody knows of the clip yet. Those after it replace it whole."""
    try:
        durable.write_new(path, data, sync=False)
    except FileExistsError:
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_bytes(data)
        temporary.replace(path)


def _synced_size(dock: DockContext) -> int:
    return int(dock.store.get(MetaKey.CUSTODY_SYNCED) or 0)


def recently_touched(dock: DockContext) -> set[str]:
    """Clips whose custody.json a crash may have left behind the log, or torn."""
    found = set()
    for line in dock.custody.lines(_synced_size(dock)):
        clip_id = strict_json.parse_object(line, what="custody entry").get("clip_id")
        if clip_id:
            found.add(str(clip_id))
    return found
