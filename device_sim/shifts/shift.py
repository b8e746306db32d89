"""Plays a plan on this machine: sends documents when dispatch would, and docks cameras when bays are free."""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from device_sim import envelope
from device_sim.camera import docking as camera
from device_sim.camera.recording import ClipSpec, Wearer
from device_sim.dispatch import center as dispatch
from device_sim.dispatch.out import Outlet
from device_sim.errors import SimError
from device_sim.shifts.plan import Plan, PlannedCamera, PlannedClip

_PICTURE_SECONDS = 2.0
"""Longest video in a clip's file."""
_TICK_SECONDS = 1.0
"""Everything within one tick happens together."""


class Audience(Protocol):
    """Is told about the progress of the shift. Called from several threads."""

    def sent(self) -> None:
        """A dispatch document was sent."""

    def docked(self, outcome: camera.Outcome) -> None:
        """A camera was docked and is finished."""

    def failed(self, serial: str, why: str) -> None:
        """A camera's docking failed."""


@dataclass(frozen=True)
class Stage:
    """Where and how a shift is played. `speed`: how many times faster than real time; 0 never waits."""

    mounts: Path
    keys: Path
    dock_keys: list[Ed25519PublicKey]
    bays: int
    speed: float
    timeout_seconds: float
    outlet: Outlet | None
    agency: str


@dataclass
class Played:
    """The result of a shift."""

    documents: int = 0
    outcomes: list[camera.Outcome] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0

    def exit_code(self, plan: Plan) -> int:
        """The highest exit code of the cameras. Cameras with a planned fault do not count."""
        faulty = {planned.serial for planned in plan.cameras if planned.faults}
        codes = [outcome.exit_code for outcome in self.outcomes if outcome.wearer.serial not in faulty]
        return max([*codes, 1 if self.failures else 0], default=0)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        visits = [visit for outcome in self.outcomes for visit in outcome.visits]
        return {
            "documents": self.documents,
            "cameras": [outcome.as_dict(None) for outcome in self.outcomes],
            "clips": len(visits),
            "verified": sum(visit.receipt == camera.VERIFIED for visit in visits),
            "erased": sum(visit.erased for visit in visits),
            "refused": sum(visit.refused for visit in visits),
            "failures": [{"serial": serial, "why": why} for serial, why in self.failures],
            "seconds": round(self.seconds, 3),
        }


def play(plan: Plan, stage: Stage, audience: Audience) -> Played:
    """Plays the whole plan. Returns when the last camera has left its bay. Raises SimError if dispatch cannot send."""
    began = time.monotonic()
    played = Played()
    lock = threading.Lock()
    bays: queue.SimpleQueue[str] = queue.SimpleQueue()
    for number in range(1, stage.bays + 1):
        bays.put(f"bay-{number}")

    def visit(planned: PlannedCamera) -> None:
        bay = bays.get()
        try:
            outcome = _dock(planned, bay, stage)
        except (SimError, OSError) as failed:
            with lock:
                played.failures.append((planned.serial, str(failed)))
            audience.failed(planned.serial, str(failed))
        else:
            with lock:
                played.outcomes.append(outcome)
            audience.docked(outcome)
        finally:
            bays.put(bay)

    with ThreadPoolExecutor(max_workers=stage.bays) as pool, _cancelling(pool):
        for at, act in _events(plan, stage, played, audience, lambda planned: pool.submit(visit, planned)):
            if stage.speed:
                due = math.ceil((at - plan.begins).total_seconds() / stage.speed / _TICK_SECONDS) * _TICK_SECONDS
                time.sleep(max(0.0, began + due - time.monotonic()))
            act()
        if stage.outlet is not None:
            stage.outlet.settle()
    played.outcomes.sort(key=lambda outcome: outcome.wearer.serial)
    played.seconds = time.monotonic() - began
    return played


@contextlib.contextmanager
def _cancelling(pool: ThreadPoolExecutor) -> Iterator[None]:
    """After an error or an interrupt, cameras that still wait for a bay are not docked."""
    try:
        yield
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _events(
    plan: Plan, stage: Stage, played: Played, audience: Audience, arrive: Callable[[PlannedCamera], object]
) -> list[tuple[datetime, Callable[[], None]]]:
    """Everything that happens in the shift, with its time, in order."""

    def send(delivery: dispatch.Delivery, outlet: Outlet) -> None:
        outlet.send(delivery)
        played.documents += 1
        audience.sent()

    def dock(planned: PlannedCamera) -> None:
        arrive(planned)

    events: list[tuple[datetime, Callable[[], None]]] = []
    if stage.outlet is not None:
        for delivery in dispatch.deliveries(plan.incidents, plan.seed, stage.agency):
            events.append((delivery.at, lambda d=delivery, o=stage.outlet: send(d, o)))  # type: ignore[misc]
    events += [(planned.docks_at, lambda p=planned: dock(p)) for planned in plan.cameras]  # type: ignore[misc]
    return sorted(events, key=lambda event: event[0])


def _dock(planned: PlannedCamera, bay: str, stage: Stage) -> camera.Outcome:
    wearer = Wearer(
        serial=planned.serial,
        officer_id=planned.officer_id,
        key=envelope.load_private(stage.keys / f"{planned.serial}.sign.pem"),
        skew_seconds=planned.skew_seconds,
    )
    stay = camera.Stay(
        mounts=stage.mounts,
        bay=bay,
        dock_keys=stage.dock_keys,
        store=stage.mounts.parent / "cameras" / planned.serial,
        faults=frozenset(planned.faults),
        timeout_seconds=stage.timeout_seconds,
    )
    return camera.run(wearer, [_spec(clip) for clip in planned.clips], stay, lambda _line: None)


def _spec(clip: PlannedClip) -> ClipSpec:
    return ClipSpec(
        started_at=clip.started_at,
        seconds=clip.seconds,
        pre_event=clip.pre_event,
        trigger_on=clip.trigger_on,
        trigger_off=clip.trigger_off,
        clip_id=clip.clip_id,
        seed=clip.seed,
        footage_seconds=min(clip.seconds, _PICTURE_SECONDS),
        size=clip.size,
    )
