"""Scrubbing: everything that lies in the vault is read and checked again, slowly, round after round.

A disk that loses bits, and a hand that changes them, are found while there may still be a copy elsewhere. What is found
is recorded in custody as `damaged` and shown in the dock's status; nothing is ever repaired or removed here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial

from daemon.custody.evidence import Finding
from daemon.custody.log import Event, open_read_only
from daemon.custody.tree import leaf_hash
from daemon.custody.vault_check import Vault, check_clip, check_log, check_store, clips_of
from daemon.dock.context import Dock
from daemon.dock.loop import Service, StoppedError
from daemon.model.errors import UnavailableError
from daemon.model.times import format_instant, parse_instant
from daemon.model.types import is_clip_id
from daemon.vault.layout import ClipDirectory

log = logging.getLogger(__name__)
_KEEP_PLACE_EVERY = 100


class Scrubber:
    """One thread. A round that a restart interrupted goes on where it was."""

    def __init__(self, dock: Dock, service: Service, finished: Callable[[], None]) -> None:
        """`finished` is called on the service's thread once a round's result is durable."""
        self._dock = dock
        self._service = service
        self._finished = finished
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scrub", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)  # an object store that hangs is not waited for

    def _run(self) -> None:
        try:
            while not self._stopping.wait(self._service.call(self._seconds_to_wait)):
                self._round()
        except StoppedError:
            return
        except BaseException as error:  # noqa: BLE001 - whatever it is, the dock stops and says so
            self._service.fail(error)

    def _seconds_to_wait(self) -> float:
        finished = self._dock.store.get("scrubbed_at")
        if finished is None or self._dock.store.get("scrub_cursor") is not None:
            return 0.0
        since = (self._dock.now() - parse_instant(finished)).total_seconds()
        every = self._dock.config.scrub.every_seconds
        return min(every, max(0.0, every - since))

    def _round(self) -> None:
        dock = self._dock
        vault = Vault(
            dock.vault,
            dock.config.agency,
            dock.trust,
            dock.now(),
            read_data=True,
            objects=dock.objects,
            read_objects=False,  # fetching them all again, round after round, would cost; bwc dock check does it
            pace=self._pace,
        )
        cursor, findings = self._service.call(self._place)
        for count, clip in enumerate(clips_of(self._dock.vault), 1):
            place = f"{clip.path.parent.name}/{clip.path.name}"
            if place <= cursor:
                continue
            findings += self._report(self._check(vault, clip))
            if count % _KEEP_PLACE_EVERY == 0:
                self._service.call(partial(self._keep_place, place, findings))
            self._pace(0)
        findings += self._report(self._check_logs(vault))
        self._service.call(partial(self._finish, findings))

    def _check(self, vault: Vault, clip: ClipDirectory) -> list[Finding]:
        """A clip's findings. One that changed or moved under our eyes is looked at again."""
        try:
            return self._check_twice(vault, clip)
        except StoppedError:
            raise
        except UnavailableError as error:
            log.warning("not checked: %s", error, extra={"clip_id": clip.path.name})
            return []

    def _check_twice(self, vault: Vault, clip: ClipDirectory) -> list[Finding]:
        findings = check_clip(vault, clip).findings
        if not findings:
            return []
        now_at = self._dock.vault.find(clip.path.name) if is_clip_id(clip.path.name) else clip
        return check_clip(vault, now_at).findings if now_at is not None and now_at.path.is_dir() else []

    def _check_logs(self, vault: Vault) -> Iterator[Finding]:
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
            self._service.call(partial(self._record, finding))
        return count

    def _pace(self, size: int) -> None:
        """Waits as long as reading `size` bytes may take. Raises StoppedError when the dock stops."""
        if self._stopping.wait(size / self._dock.config.scrub.bytes_per_second):
            raise StoppedError("the dock is stopping")

    # on the service's thread

    def _place(self) -> tuple[str, int]:
        return self._dock.store.get("scrub_cursor") or "", int(self._dock.store.get("scrub_found") or 0)

    def _keep_place(self, place: str, found: int) -> None:
        self._dock.store.set("scrub_cursor", place)
        self._dock.store.set("scrub_found", str(found))

    def _record(self, finding: Finding) -> None:
        if self._dock.first_refusal(f"damaged {finding.path} {finding.problem}"):
            within = f"{self._dock.vault.root}/"
            detail = {"path": finding.path.removeprefix(within), "problem": finding.problem.replace(within, "")[:500]}
            self._dock.record(Event("damaged", finding.clip_id, detail))

    def _finish(self, findings: int) -> None:
        store = self._dock.store
        store.set("scrubbed_at", format_instant(self._dock.now()))
        store.set("scrubbed_found", str(findings))
        for key in ("scrub_cursor", "scrub_found"):
            store.unset(key)
        self._dock.after.append(self._finished)
        log.log(logging.ERROR if findings else logging.INFO, "the vault was read and checked: %d findings", findings)
