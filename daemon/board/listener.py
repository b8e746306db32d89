"""The board's one thread that listens to the broker, and puts what it receives into the picture."""

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


class Listener:
    """Listens from `start` until `stop`."""

    def __init__(
        self,
        broker: Broker,
        picture: Picture,
        clock: Clock,
        changed: Callable[[], None],
        ended: Callable[[BaseException], None],
    ) -> None:
        """`changed` is called after each batch of messages. If the thread fails, `ended` is called with the error.

        Both are called on the listener's thread.
        """
        self._picture = picture
        self._clock = clock
        self._changed = changed
        self._ended = ended
        self._mailbox: Mailbox[LinkEvent] = Mailbox(tick_seconds=1.0)
        # no session is kept, because everything that changes meanwhile is retained
        client_id = f"bwc-board-{uuid.uuid4().hex[:12]}"
        self._client = MqttClient(broker, client_id, self._mailbox.put, subscriptions=picture.subscriptions)
        self._notifier = Notifier()
        self._refused = RetryTimer()
        self._thread = threading.Thread(target=self._run, name="board-listener")

    def start(self) -> None:
        """Connects to the broker, and starts the thread."""
        self._client.start()
        self._thread.start()

    def ready(self) -> None:
        """Tells the service manager that the page answers."""
        self._notifier.ready()

    def stop(self) -> None:
        """Ends the thread and the connection, and closes the picture."""
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
                self._notifier.watched(self._status, self._client)
        except BaseException as error:
            self._ended(error)
            raise

    def _step(self, batch: list[LinkEvent]) -> None:
        received: list[Received] = []
        for event in batch:
            match event:
                case Received():
                    received.append(event)
                case Connected():
                    self._picture.connected()
                case Disconnected():
                    self._picture.disconnected(event.reason)
                case Subscribed() if event.refused:
                    log.error("the broker refused a subscription: %s", event.refused)
                    self._refused.refused(self._clock.monotonic())
                case _:
                    pass
        if received:
            self._picture.receive(received, self._clock.now())
            for message in received:
                self._client.ack(message)
        if self._refused.due(self._clock.monotonic()):
            self._client.subscribe()
        self._picture.tick()
        self._changed()

    def _status(self) -> str:
        """How the board is, in words for the service manager."""
        link = self._picture.link
        return f"broker lost: {link.lost}" if link.lost else f"listening to {len(self._picture.docks())} docks"
