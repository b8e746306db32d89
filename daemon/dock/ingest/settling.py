"""What becomes of sealed clips beside the bay's thread: settled, committed, and what their receipts will say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from daemon.dock.ingest import intake, staging
from daemon.dock.ingest.docking import Docking
from daemon.dock.ingest.intake import Composed, Job, ReadCapture
from daemon.dock.ingest.receipt_delivery import Issued, Receipting
from daemon.dock.loop import StoppedError
from daemon.dock.store.store import ClipRow
from daemon.model.errors import NotDurableError
from daemon.model.statements import Seal, Tag
from daemon.seal import envelope as envelopes


class Sealed(NamedTuple):
    """A clip that the reader has sealed, and what it answered."""

    job: Job
    capture: ReadCapture
    answer: dict[str, Any]


class Settled(NamedTuple):
    """A batch's clips as the dock holds them, by the ids they were to get, and their receipts."""

    rows: dict[str, ClipRow]
    receipts: Issued


class Settling:
    """One docking's. On any thread but the service's: it waits for the medium again and again."""

    def __init__(self, docking: Docking, receipts: Receipting) -> None:
        self._docking = docking
        self._dock = docking.dock
        self._service = docking.service
        self._receipts = receipts

    def settle(self, batch: Sequence[Sealed]) -> Settled:
        """Raises DiskFullError before anything of it is settled; NotDurableError when nobody knows what is on the
        medium: that stops the dock at once, for the bay's thread may be waiting for its camera.
        """
        try:
            rows = self._take_in(batch)
        except NotDurableError as error:
            self._service.fail(error)
            raise
        return Settled(rows, self._receipts.issue([row.clip_id for row in rows.values()]))

    def _take_in(self, batch: Sequence[Sealed]) -> dict[str, ClipRow]:
        found = self._service.call(lambda: [intake.compose(self._dock, *one) for one in batch])
        rows = {one.job.clip_id: row for one, row in zip(batch, found, strict=True) if isinstance(row, ClipRow)}
        if rows:
            self._docking.drop([one.job for one in batch if one.job.clip_id in rows])
        new = [(one, said) for one, said in zip(batch, found, strict=True) if not isinstance(said, ClipRow)]
        if new:
            clips = self._signed(new)
            staging.settle(self._dock.vault, clips)
            rows |= self._commit(clips)
        return rows

    def _signed(self, new: list[tuple[Sealed, tuple[Seal, Tag]]]) -> list[Composed]:
        key = self._dock.sign_key
        seals = envelopes.sign_all([seal for _, (seal, _) in new], key)
        tags = envelopes.sign_all([tag for _, (_, tag) in new], key)
        return [
            Composed(one.job, seal, tag, one.capture.capture, one.capture.data)
            for (one, _), seal, tag in zip(new, seals, tags, strict=True)
        ]

    def _commit(self, clips: list[Composed]) -> dict[str, ClipRow]:
        """The commit point. The clips lie in their places: if this fails, only a restart can tell what is true."""
        try:
            rows = self._service.call(lambda: intake.commit(self._dock, clips))
        except StoppedError:
            raise
        except Exception as error:
            names = ", ".join(clip.job.clip_id for clip in clips)
            raise NotDurableError(f"in the vault, but the commit failed ({error}): clips {names}") from error
        return {row.clip_id: row for row in rows}
