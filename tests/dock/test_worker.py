"""The one shape of a thread beside the loop: it stops when told, and an end that nobody foresaw stops the dock."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from typing import Any

import pytest

from daemon.dock.loop import StoppedError
from daemon.dock.worker import Worker
from daemon.model.documents import Bay
from daemon.model.errors import NotDurableError
from tests.kit.patience import PATIENCE


class Ears:
    """A loop that only hears what fails."""

    def __init__(self) -> None:
        self.failures: queue.SimpleQueue[BaseException] = queue.SimpleQueue()

    def run_in_transaction(self, decide: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        raise StoppedError("the dock is stopping")

    def show(self, identity: str, bay: Bay) -> None:
        pass

    def fail(self, error: BaseException) -> None:
        self.failures.put(error)


@pytest.mark.parametrize("error", [ZeroDivisionError(), NotDurableError("nobody knows")])
def test_an_end_that_nobody_foresaw_stops_the_dock(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def work(_: Worker) -> None:
        raise error

    ears = Ears()
    with caplog.at_level(logging.ERROR):
        worker = Worker("scrub", ears, work)
        worker.start()
        assert ears.failures.get(timeout=PATIENCE) is error
        worker.stop()
    traced = [record for record in caplog.records if record.exc_info]
    assert bool(traced) == isinstance(error, ZeroDivisionError), "our own errors need no traceback"


def test_one_that_waits_ends_at_once_when_told_and_without_a_word() -> None:
    ears, began = Ears(), queue.SimpleQueue[None]()

    def work(worker: Worker) -> None:
        began.put(None)
        worker.wait(10 * PATIENCE)

    worker = Worker("scrub", ears, work)
    worker.start()
    began.get(timeout=PATIENCE)
    worker.stop(timeout=PATIENCE)
    assert worker.stopping and not worker.running
    assert ears.failures.empty()


def test_one_that_asks_a_loop_that_stops_ends_without_a_word() -> None:
    ears = Ears()
    worker = Worker("scrub", ears, lambda _: ears.run_in_transaction(print))
    worker.start()
    worker.stop(timeout=PATIENCE)
    assert not worker.running and ears.failures.empty()
