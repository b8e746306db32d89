"""What this dock publishes, and when: its status, its bays, each clip's current notice, its custody log.

Nothing here is a queue of its own. Notices above what the policy service has acknowledged are replayed from the
store on connecting, when its acknowledgement falls back (it was restored from a backup), and when it stalls. All of
them are announced anew when the broker has forgotten us: what it retained may be gone.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Hashable
from datetime import datetime

from daemon import __version__
from daemon.core.lifecycle import State
from daemon.core.unacknowledged import Unacknowledged
from daemon.dock.context import DockContext, LoopState
from daemon.dock.metrics import HELD
from daemon.dock.outbox import notices
from daemon.dock.store.meta import MetaKey
from daemon.link.mqtt import Connected, Disconnected, LinkEvent, MqttClient, Published
from daemon.link.pump import Pump
from daemon.link.retry import RetryTimer
from daemon.model import strict_json
from daemon.model.documents import Bay, DockStatus, ShiftActivation
from daemon.model.times import parse_instant
from daemon.vault.space import free_bytes, size_bytes

log = logging.getLogger(__name__)
STALL_SECONDS = 30.0
"""Shortest wait before a notice without acknowledgement is sent again, in seconds."""
LONGEST_WAIT = 120.0
"""Longest wait before a notice is sent again, in seconds: the wait doubles up to it. A policy service that has
said nothing since is given all of it.
"""
_STATUS_EVERY = 0.5
STATUS_REPEAT_SECONDS = 60.0
"""Seconds after which the dock's status is published again though nothing changed."""


def offline(dock: DockContext, since: datetime) -> bytes:
    """The dock's last will, and what it says itself when it stops."""
    status = DockStatus(dock_id=dock.dock_id, state="offline", since=since, version=__version__)
    return strict_json.dump(status.plain())


class Announcer:
    """Feeds the pump. Lives on the loop's thread."""

    def __init__(self, dock: DockContext, state: LoopState, client: MqttClient, since: datetime) -> None:
        """`since`: when the dock came online."""
        self._dock = dock
        self._state = state
        self._pump = Pump(client)
        self._since = since
        self._bays: dict[str, Bay] = {}
        self._retained_due: dict[str, bytes] = {}
        self._status: DockStatus | None = None
        self._status_at = float("-inf")
        self._activation: ShiftActivation | None = None
        self._status_due = False
        self._status_looked_at = float("-inf")
        self._cursor = 0  # notices up to here were sent on this connection
        self._progress_at = dock.clock.monotonic()  # when more was acknowledged last, or waiting for it began
        self._policy_spoke = False  # whether since then it acknowledged again, but nothing more
        self._stall_seconds = STALL_SECONDS
        self._custody_sent = 0
        self._clearing: set[str] = set()
        self.listening = False  # whether the broker holds our subscriptions: only then the dock is "online"
        self._checkpoint_size = -1
        self._kinds = deque(
            (self._send_retained, self._send_notice, self._send_custody, self._send_checkpoint, self._clear_disposed)
        )
        self._refused = RetryTimer()
        self._unacknowledged = Unacknowledged()

    @property
    def connected(self) -> bool:
        """Whether the broker is connected."""
        return self._pump.connected

    def handle(self, event: LinkEvent) -> None:
        """A connection event of the publishing client."""
        match event:
            case Connected():
                self._pump.reset(connected=True, max_packet=event.max_packet)
                self._restart()
            case Disconnected():
                if self._pump.connected:
                    log.warning("broker lost: %s; everything waits in the store", event.reason)
                self._pump.reset(connected=False)
            case Published():
                if not self._pump.published(event, self._taken):
                    self._refused.refused(self._dock.clock.monotonic())
            case _:
                pass
        self._dock.metrics.broker(self._pump.connected)

    def bay(self, bay: Bay) -> None:
        """A bay's new standing."""
        self._bays[bay.bay] = bay
        self._dock.metrics.bays(self._bays.values())
        topic = self._dock.topics.bay(self._dock.dock_id, bay.bay)
        self._retained_due[topic] = strict_json.dump(bay.plain())

    def status(self) -> None:
        """The dock's own standing may have changed: looked at soon, published when it did."""
        self._status_due = True

    def counted(self, activation: ShiftActivation) -> None:
        """How the last hours' assignments went."""
        self._activation = activation
        self.status()

    def _publish_status(self) -> None:
        now = self._dock.clock.monotonic()
        if not self._status_due or now - self._status_looked_at < _STATUS_EVERY:
            return
        self._status_due, self._status_looked_at = False, now
        status = self._online()
        oldest = self._measure(status)
        if self.listening and (status != self._status or now - self._status_at >= STATUS_REPEAT_SECONDS):
            self._status, self._status_at = status, now
            said = status.model_copy(update={"said_at": self._dock.now(), "oldest_unacknowledged_seconds": oldest})
            self._retained_due[self._dock.topics.status(self._dock.dock_id)] = strict_json.dump(said.plain())

    def _measure(self, status: DockStatus) -> float:
        """Tells the metrics; returns for how many seconds the oldest notice has waited."""
        dock = self._dock
        clips = {state: dock.store.count(state) for state in HELD}
        scrub_age = (dock.now() - (status.scrubbed_at or self._since)).total_seconds()
        newest = int(dock.store.get(MetaKey.SEQUENCE) or 0)
        oldest = self._unacknowledged.age(dock.clock.monotonic(), newest, dock.store.acknowledged_through)
        if status.unreplicated is not None:
            _, since = dock.replica.backlog()
            waited = (dock.now() - parse_instant(since)).total_seconds() if since else 0.0
            dock.metrics.replica(status.unreplicated, max(0.0, waited), dock.replica.spooled())
        dock.metrics.standing(status, clips, vault_size=size_bytes(dock.vault.root), scrub_age=scrub_age, oldest=oldest)
        return round(oldest, 1)

    def _online(self) -> DockStatus:
        store, count = self._dock.store, self._dock.store.count
        unreplicated = self._dock.replica.backlog()[0] if self._dock.objects is not None else None
        return DockStatus(
            dock_id=self._dock.dock_id,
            state="online",
            since=self._since,
            version=__version__,
            bays=sum(1 for bay in self._bays.values() if bay.state != "empty"),
            locked=count(State.LOCKED) + count(State.QUARANTINED),
            released=count(State.RELEASED),
            backlog=store.backlog(self._dock.store.acknowledged_through),
            unreplicated=unreplicated,
            vault_free_bytes=free_bytes(self._dock.vault.root),
            scrubbed_at=parse_instant(scrubbed) if (scrubbed := store.get(MetaKey.SCRUBBED_AT)) else None,
            scrub_findings=int(store.get(MetaKey.SCRUBBED_FOUND) or 0),
            activation=self._activation,
        )

    def acknowledged(self, before: int) -> bool:
        """The policy service has spoken. Returns whether its `through` is another than `before`."""
        if self._dock.store.acknowledged_through == before:
            self._policy_spoke = True
            return False
        if self._dock.store.acknowledged_through < before:
            log.warning(
                "the policy service fell back from notice %d to %d; replaying",
                before,
                self._dock.store.acknowledged_through,
            )
            self._cursor = min(self._cursor, self._dock.store.acknowledged_through)
        self._wait_from_now()
        self._stall_seconds = STALL_SECONDS
        return True

    def forgotten(self) -> None:
        """The broker holds no session of ours: every clip's notice is announced again, acknowledged or not."""
        self._dock.store.set(MetaKey.ANNOUNCED, "0")
        if self._pump.connected:
            self._restart()

    def pump(self, may_run: Callable[[], bool]) -> None:
        """Sends what there is room for, asking `may_run` before each message."""
        if self._pump.connected and self._refused.due(self._dock.clock.monotonic()):
            self._restart()
        self._notice_stall()
        self._publish_status()
        while self._pump.has_room and may_run() and self._send_one():
            pass

    def _restart(self) -> None:
        self._refused.clear()
        self._stall_seconds = STALL_SECONDS
        self._cursor = min(self._dock.store.acknowledged_through, int(self._dock.store.get(MetaKey.ANNOUNCED) or 0))
        self._custody_sent = int(self._dock.store.get(MetaKey.CUSTODY_SENT) or 0)
        self._clearing.clear()
        self._checkpoint_size = -1
        self._status = None
        self.status()
        for bay in self._bays.values():
            self.bay(bay)
        self._wait_from_now()

    def _wait_from_now(self) -> None:
        self._progress_at, self._policy_spoke = self._dock.clock.monotonic(), False

    def _notice_stall(self) -> None:
        """A policy service that acknowledges nothing new may lack a notice. One that says nothing will still get them
        all, from the session that the broker keeps for it.
        """
        waited = self._dock.clock.monotonic() - self._progress_at
        wait = self._stall_seconds if self._policy_spoke else LONGEST_WAIT
        if self._pump.connected and self._cursor > self._dock.store.acknowledged_through and waited > wait:
            log.warning(
                "no acknowledgement above notice %d for %.0f s; replaying",
                self._dock.store.acknowledged_through,
                waited,
            )
            self._cursor = self._dock.store.acknowledged_through
            self._wait_from_now()
            self._stall_seconds = min(
                2 * self._stall_seconds, LONGEST_WAIT
            )  # perhaps it is only busy with what we sent already

    def _send_one(self) -> bool:
        """Each kind in turn, so that much of one kind never holds back the others."""
        for _ in range(len(self._kinds)):
            self._kinds.rotate(-1)
            if self._kinds[-1]():
                return True
        return False

    def _send_retained(self) -> bool:
        for topic, data in self._retained_due.items():
            if self._pump.send(topic, topic, data, retain=True):
                del self._retained_due[topic]
                return True
            return False
        return False

    def _send_notice(self) -> bool:
        rows = self._dock.store.notices_after(self._cursor, 1)
        if not rows:
            return False
        dock, clip, through = self._dock, rows[0], self._dock.store.acknowledged_through
        notice, own = notices.build(dock, self._state, clip), (dock.dock_id, clip.clip_id)
        if notice.announced is not None:
            whole = dock.topics.announcement(*own)
            if not self._pump.send(("announcement", clip.sequence), whole, notice.announced, retain=False):
                return False
        if not self._pump.send(("notice", clip.sequence), dock.topics.clip(*own), notice.retained, retain=True):
            return False
        if self._cursor <= through:  # of those that wait for their acknowledgement, this is the oldest
            self._wait_from_now()
        self._cursor = clip.sequence
        return True

    def _send_custody(self) -> bool:
        line = self._dock.custody.line(self._custody_sent)
        topic = self._dock.topics.custody(self._dock.dock_id, self._custody_sent)
        if line is None or not self._pump.send(("custody", self._custody_sent), topic, line, retain=False):
            return False
        self._custody_sent += 1
        return True

    def _send_checkpoint(self) -> bool:
        size = self._dock.custody.size
        if size == self._checkpoint_size or self._custody_sent < size:
            return False
        note = self._dock.custody.checkpoint(self._dock.sign_key, size).encode()
        if not self._pump.send("checkpoint", self._dock.topics.checkpoint(self._dock.dock_id), note, retain=True):
            return False
        self._checkpoint_size = size
        return True

    def _clear_disposed(self) -> bool:
        """The retained notice of a disposed clip goes once the policy service has acknowledged it."""
        for clip in self._dock.store.disposed_through(self._dock.store.acknowledged_through):
            topic = self._dock.topics.clip(self._dock.dock_id, clip.clip_id)
            if clip.clip_id not in self._clearing:
                self._clearing.add(clip.clip_id)
                return self._pump.send(("cleared", clip.clip_id), topic, b"", retain=True)
        return False

    def _taken(self, key: Hashable) -> None:
        # answers come in order, so the highest answered covers those before it, unless one of them was refused
        match key:
            case ("custody", int(sequence)) if not self._refused.pending:
                self._dock.store.set(MetaKey.CUSTODY_SENT, str(sequence + 1))
            case ("notice", int(sequence)) if not self._refused.pending:
                self._dock.store.set(MetaKey.ANNOUNCED, str(sequence))
            case ("cleared", str(clip_id)):
                self._dock.store.mark_cleared(clip_id)
            case _:
                pass
