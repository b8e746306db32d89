"""Batches on their way: while one is read from the camera, the one before is read back from the medium, the one before
that is settled and committed, and receipts of the one before that are written.
"""

from __future__ import annotations

from collections import deque

from daemon.dock.camera.handle import ReaderHandle
from daemon.dock.ingest.batches import TakingIn, UnderWay
from daemon.dock.ingest.receipt_delivery import Receipting, Sent


class InFlight:
    """One docking's batches, in order, as one reader takes them in. Used by the bay's thread only.

    Raises ReaderGoneError when that reader ends, NotDurableError when nobody knows what is on the medium.
    """

    def __init__(self, handle: ReaderHandle, taking_in: TakingIn, receipts: Receipting) -> None:
        self._handle = handle
        self._taking_in = taking_in
        self._receipts = receipts
        self._reading: deque[UnderWay] = deque()
        self._settling: deque[UnderWay] = deque()
        self._sent: deque[Sent | None] = deque()

    def add(self, begun: UnderWay) -> None:
        """Another batch is being read; returns once the camera is free for the next."""
        self._reading.append(begun)
        if len(self._reading) > 1:
            self._settle_first()
        self._handle.written(begun.batch)

    def finish(self) -> None:
        """Returns once all have their receipts."""
        while self._reading:
            self._settle_first()
        while self._settling:
            self._receipt_first()
        while self._sent:
            self._receipts.conclude(self._handle, self._sent.popleft())

    def give_up(self) -> None:
        """The reader is gone: what was sealed by then is taken in all the same."""
        while self._settling:
            self._taking_in.conclude(self._settling.popleft())
        while self._reading:
            self._taking_in.give_up(self._reading.popleft())

    def _settle_first(self) -> None:
        """It counts as being read until it is sealed: should its reader go, it is among what is given up."""
        self._taking_in.settle(self._handle, self._reading[0])
        self._settling.append(self._reading.popleft())
        if len(self._settling) > 1:
            self._receipt_first()

    def _receipt_first(self) -> None:
        held, issued = self._taking_in.conclude(self._settling.popleft())
        self._sent.append(self._receipts.send(self._handle, held, issued))
        if len(self._sent) > 1:
            self._receipts.conclude(self._handle, self._sent.popleft())
