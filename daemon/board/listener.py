"""The board's one thread that listens: from the broker into the picture."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable

from daemon.board.picture import Picture
from daemon.link.mqtt import Connected, Disconnected, LinkEvent, MqttClient, Received, Subscribed
from daemon.link.retry import RetryTimer
from daemon.model.clock import Clock
from daemon.model.config import Broker
from daemon.runtime.mailbox import Mailbox
from daemon.runtime.service_manager import Notifier

log = logging.getLogger(__name__)


class Hearing:
    """Runs until `stop`; calls `changed` after each batch, and `ended` with what ended it, should it fail."""

    def __init__(
        self,
        broker: Broker,
        picture: Picture,
        clock: Clock,
        changed: Callable[[], None],
        ended: Callable[[BaseException], None],
    ) -> None:
        self._picture = picture
        self._clock = clock
        self._changed = changed
        self._ended = ended
        self._mailbox: Mailbox[LinkEvent] = Mailbox(tick_seconds=1.0)
        # no session is kept: whatever changed meanwhile is said by what is retained
        name = f"bwc-board-{uuid.uuid4().hex[:12]}"
        self._client = MqttClient(broker, name, self._mailbox.put, subscriptions=picture.subscriptions)
        self._notifier = Notifier()
        self._unheard = RetryTimer()
        self._thread = threading.Thread(target=self._run, name="board-hearing")

    def start(self) -> None:
        self._client.start()
        self._thread.start()

    def ready(self) -> None:
        """The page answers: tells the service manager."""
        self._notifier.ready()

    def stop(self) -> None:
        self._notifier.stopping("stopping")
        self._mailbox.stop()
        if self._thread.is_alive():
            self._thread.join()
        self._client.stop()
        self._picture.close()

    def _run(self) -> None:
        try:
            for batch in self._mailbox.batches():
                self._step(batch)
                self._notifier.watched(self._in_words, self._client)
        except BaseException as error:
            self._ended(error)
            raise

    def _step(self, batch: list[LinkEvent]) -> None:
        heard: list[Received] = []
        for event in batch:
            match event:
                case Received():
                    heard.append(event)
                case Connected():
                    self._picture.connected()
                case Disconnected():
                    self._picture.disconnected(event.reason)
                case Subscribed() if event.refused:
                    log.error("the broker refused a subscription: %s", event.refused)
                    self._unheard.refused(self._clock.monotonic())
                case _:
                    pass
        if heard:
            self._picture.hear(heard, self._clock.now())
            for message in heard:
                self._client.ack(message)
        if self._unheard.due(self._clock.monotonic()):
            self._client.subscribe()
        self._picture.tick()
        self._changed()

    def _in_words(self) -> str:
        link = self._picture.link
        return f"broker lost: {link.lost}" if link.lost else f"listening to {len(self._picture.docks())} docks"
