"""What must hold once a fault is over, whatever it was. Each returns what does not; nothing when all is well."""

from __future__ import annotations

import json
import time
from collections import Counter

from daemon.cli.demo.world import DOCK
from daemon.link.session import Session
from daemon.model.errors import UnavailableError
from tests.broker.rig import TOPICS, Rig
from tests.kit.promise import until

_SECONDS = 75.0


def settle(rig: Rig) -> list[str]:
    """Waits until everything has come to rest as it must; what has not."""
    end = time.monotonic() + _SECONDS
    last: list[str] = ["nothing looked at"]

    def done() -> bool:
        if rig.said:
            rig.insist(3.0)
        rig.harvest()
        last[:] = not_at_rest(rig)
        return not last

    until(done, end - time.monotonic(), 0.1)
    if last:
        last.append(f"dock: {rig.words('dock')[-400:]}; policy: {rig.words('policy')[-400:]}")
    return last


def not_at_rest(rig: Rig) -> list[str]:
    """What the databases do not show yet."""
    clips = {row["clip_id"]: row for row in rig.dock_rows("clip")}
    meta = {row["key"]: row["value"] for row in rig.dock_rows("meta")}
    known = {row["clip_id"]: row for row in rig.policy_rows("clip")}
    current = {name: row["sequence"] for name, row in clips.items()}
    found = [f"{name} was recorded and never taken in" for name in rig.recorded - clips.keys()]
    pending = {name for camera in rig.cameras for name in camera.pending}
    found += [f"{name} has no receipt" for name in pending]
    found += [f"notice of {name} lost" for name in clips.keys() - known.keys()]
    found += [
        f"{name} is stored as {known[name]['sequence']}, is {sequence}"
        for name, sequence in current.items()
        if name in known and known[name]["sequence"] != sequence
    ]
    if int(meta.get("through", 0)) != max(current.values(), default=0):
        found.append(f"acknowledged through {meta.get('through')} of {max(current.values(), default=0)}")
    if int(meta.get("custody_sent", 0)) != len(rig.dock_rows("custody_entry")):
        found.append(f"custody sent through {meta.get('custody_sent')} of {len(rig.dock_rows('custody_entry'))}")
    found += [f"{name} is not answered" for name in rig.said]
    return found + _releases(rig)


def _releases(rig: Rig) -> list[str]:
    """What was asked for is decided and honoured, by both books alike."""
    found = []
    theirs = {row["order_id"]: row for row in rig.policy_rows("release_order")}
    ours = {row["order_id"]: row for row in rig.dock_rows("release_order")}
    states = {row["clip_id"]: row["state"] for row in rig.dock_rows("clip")}
    for clip_id in rig.asked:
        live = [row["order_id"] for row in theirs.values() if (row["clip_id"], row["state"]) == (clip_id, "live")]
        if clip_id in rig.withdrawn:
            if live or states.get(clip_id) == "released":
                found.append(f"{clip_id} is released, though its classification was withdrawn")
        elif len(live) != 1:
            found.append(f"{clip_id} was asked for and has {len(live)} live orders")
        elif ours.get(live[0], {}).get("state") != "live" or states[clip_id] != "released":
            found.append(f"order {live[0]} of {clip_id} is not honoured")
    found += [
        f"order {name} is live at the dock only"
        for name, row in ours.items()
        if row["state"] == "live" and theirs.get(name, {}).get("state") != "live"
    ]
    return found + [f"order {name} is not listed" for name, row in theirs.items() if not row["listed"]]


def broken(rig: Rig) -> list[str]:
    """What is wrong for good: order gone back, a clip or an order recorded twice, a notice that is not retained."""
    found = []
    highest: dict[str, int] = {}
    for row in rig.policy_rows("noted"):
        if row["sequence"] < highest.get(row["clip_id"], 0):
            found.append(f"{row['clip_id']} went back from {highest[row['clip_id']]} to {row['sequence']}")
        highest[row["clip_id"]] = row["sequence"]
    entries = [
        json.loads(bytes(row["line"]) if isinstance(row["line"], bytes) else row["line"])
        for row in rig.dock_rows("custody_entry")
    ]
    for action, field in (("ingested", "clip_sha256"), ("released", "order_id")):
        times = Counter(entry["detail"][field] for entry in entries if entry["action"] == action)
        found += [f"{action} {times[name]} times: {name}" for name in times if times[name] > 1]
    return found + _not_retained(rig)


def _not_retained(rig: Rig) -> list[str]:
    """What a newcomer hears of the clips is what the dock says of them."""
    wanted = {row["clip_id"]: row["sequence"] for row in rig.dock_rows("clip")}
    heard: dict[str, int] = {}
    try:
        with Session(rig.broker("board", "room"), (TOPICS.clip(DOCK, "+"),), 10) as session:
            end = time.monotonic() + 10
            while heard != wanted and (left := end - time.monotonic()) > 0:
                message = session.wait(lambda received: True, left)
                if message is not None and message.payload:
                    notice = json.loads(message.payload)
                    heard[notice["clip_id"]] = notice["sequence"]
    except UnavailableError as error:
        return [f"the broker: {error}"]
    return [] if heard == wanted else [f"retained: {heard}, the dock has {wanted}"]
