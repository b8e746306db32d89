"""A witness at work: hears every dock's custody lines and checkpoints on MQTT, and says what does not fit."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from daemon.custody.witness import Alarm, Cosigner, WitnessedLog, describe
from daemon.link.mqtt import Disconnected, LinkEvent, MqttClient, Received, Subscribed
from daemon.model.clock import Clock
from daemon.model.config import Broker
from daemon.model.errors import UnavailableError, VerificationError
from daemon.model.topics import Topics
from daemon.runtime.mailbox import Mailbox
from daemon.seal.note import verify_checkpoint
from daemon.seal.trust import Trust
from daemon.vault.layout import VaultLayout

log = logging.getLogger(__name__)
_SESSION = 30 * 24 * 3600
_QUIET_TICKS, _CONNECT_TICKS = 2, 10


class Witness:
    """The logs of every enrolled dock. One thread owns it."""

    def __init__(self, folder: Path, agency: str, trust: Trust, cosigner: Cosigner) -> None:
        """Raises ConfigurationError for a folder that cannot be used."""
        self._agency = agency
        self._trust = trust
        self.logs = {dock_id: WitnessedLog(folder, dock_id, cosigner) for dock_id in sorted(trust.statement.docks)}

    def hear(self, levels: tuple[str, ...], payload: bytes, now: datetime) -> list[Alarm]:
        """One message below the agency's root. What no enrolled dock signed is ignored, and said in the log."""
        match levels:
            case ("dock", dock_id, "checkpoint") if dock_id in self.logs:
                return self._checkpoint(dock_id, payload, now)
            case ("dock", dock_id, "custody", number) if dock_id in self.logs and number.isdecimal():
                return self.logs[dock_id].entry(int(number[:18]), payload, now)
            case _:
                log.warning("ignored what came on %s: no such dock is enrolled", "/".join(levels)[:200])
                return []

    def read_vault(self, vault: Path, now: datetime) -> list[Alarm]:
        """Catches up from a dock's vault (or a copy): entries that were published while nobody listened.

        Raises VerificationError when its checkpoint is not signed by an enrolled dock.
        """
        layout = VaultLayout(vault)
        try:
            note = layout.checkpoint.read_bytes()
        except OSError as error:
            raise UnavailableError(f"{layout.checkpoint}: {(error.strerror or 'cannot be read').lower()}") from None
        dock_id = note.split(b"\n")[0].decode("utf-8", "replace").rpartition("/")[2]
        if dock_id not in self.logs:
            raise VerificationError(f"{layout.checkpoint}: of dock {dock_id!r}, which is not enrolled")
        alarms: list[Alarm] = []
        for path in sorted(layout.custody.glob("*.jsonl"), key=lambda p: int(p.stem) if p.stem.isdigit() else -1):
            for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], int(path.stem)):
                alarms += self.logs[dock_id].entry(number, line, now)
        return alarms + self._checkpoint(dock_id, note, now)

    def sync(self) -> None:
        """Makes durable what was heard."""
        for known in self.logs.values():
            known.sync()

    def close(self) -> None:
        """Lets go of its files."""
        for known in self.logs.values():
            known.close()

    def report(self) -> list[dict[str, Any]]:
        """What is known of each dock's log."""
        return [describe(known) for known in self.logs.values()]

    def _checkpoint(self, dock_id: str, payload: bytes, now: datetime) -> list[Alarm]:
        key = self._trust.sign_key_of("dock", dock_id)
        note, origin = payload.decode("utf-8", "replace"), f"bwc/{self._agency}/{dock_id}"
        if key is None:
            raise AssertionError("an enrolled dock has a key")
        try:
            heard = verify_checkpoint(note, key, what=f"checkpoint of {dock_id}", origin=origin)
        except VerificationError as error:
            log.warning("ignored: %s", error)
            return []
        return self.logs[dock_id].checkpoint(heard, note, now)


class WitnessService:
    """Composition and loop: what was heard is acknowledged to the broker once it is kept."""

    def __init__(self, witness: Witness, broker: Broker, agency: str, name: str, clock: Clock) -> None:
        self._witness = witness
        self._clock = clock
        self._subscribed = False
        self._topics = Topics(agency)
        self._mailbox: Mailbox[LinkEvent] = Mailbox(tick_seconds=1.0)
        root = self._topics.root
        self._client = MqttClient(
            broker,
            f"{agency}-witness-{name}",
            self._mailbox.put,
            subscriptions=(f"{root}/dock/+/checkpoint", f"{root}/dock/+/custody/+"),
            session_seconds=_SESSION,
        )

    def run(self, tell: Callable[[Alarm], None], *, once: bool) -> None:
        """Listens until `stop`; with `once`, until nothing has come for two seconds.

        Raises UnavailableError when the broker refuses us, or with `once` does not answer within ten seconds.
        """
        quiet = 0
        self._client.start()
        try:
            for batch in self._mailbox.batches():
                self._take(batch, tell)
                quiet = 0 if batch else quiet + 1
                if once and self._subscribed and quiet >= _QUIET_TICKS:
                    return
                if once and quiet >= _CONNECT_TICKS:
                    raise UnavailableError("the broker does not answer", hint="is it running? check --broker")
        finally:
            self._client.stop()

    def stop(self) -> None:
        """Ends `run`, from a signal handler or another thread."""
        self._mailbox.stop()

    def _take(self, batch: list[LinkEvent], tell: Callable[[Alarm], None]) -> None:
        received = [event for event in batch if isinstance(event, Received)]
        for event in batch:
            match event:
                case Received():
                    levels = self._topics.split(event.topic)
                    for alarm in self._witness.hear(levels, event.payload, self._clock.now()):
                        tell(alarm)
                case Disconnected():
                    log.warning("broker lost: %s; the session keeps what is said meanwhile", event.reason)
                case Subscribed():
                    if event.refused:
                        raise UnavailableError(f"the broker refused the subscription: {event.refused}")
                    self._subscribed = True
                case _:
                    pass
        if received:
            self._witness.sync()
        for event in received:
            self._client.ack(event)
