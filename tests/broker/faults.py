"""Brokers that misbehave, with a real dock and a real policy service: python -m tests.broker.faults --seed 1

Each scenario injects one fault into one agency of its own, while clips come in and people ask for them, and then takes
it away. Whatever it was: no notice is lost, no clip's notices go back in order, duplicates do no harm, and what was
asked for meanwhile is decided and honoured. `tests.broker.invariants` looks.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from daemon.cli.demo.world import AGENCY, CHIEF, DOCK, SUPERVISOR
from daemon.model import statements as st
from tests.broker import invariants
from tests.broker.rig import TOPICS, Processes, Rig, rig
from tests.kit.promise import scratch, until

Scenario = Callable[[Rig], None]
SCENARIOS: dict[str, Scenario] = {}


def scenario(function: Scenario) -> Scenario:
    SCENARIOS[function.__name__] = function
    return function


def work(rig: Rig, clips: int = 1) -> None:
    """Clips come in, and one is asked for: whether anybody hears it or not."""
    names = rig.record(clips)
    rig.taken_in()
    rig.ask_for(rig.rng.choice(names))
    rig.insist(1.0)


def rest(rig: Rig) -> None:
    """Everything so far is acknowledged, decided, honoured: the fault finds history."""
    problems = invariants.settle(rig)
    assert not problems, f"before the fault: {problems}"


def start(rig: Rig) -> None:
    """A morning: both services up, some clips in, one released."""
    rig.start("policy", "dock")
    rig.watch_order()
    work(rig)
    rest(rig)


# the broker goes away


@scenario
def down_all_shift(rig: Rig) -> None:
    """From before the first clip to after the last."""
    start(rig)
    rig.mosquitto.stop()
    for _ in range(3):
        work(rig, 2)
    rig.mosquitto.start()


@scenario
def broker_starts_last(rig: Rig) -> None:
    """Dock and policy service are up long before there is a broker at all."""
    rig.mosquitto.stop()
    rig.start("policy", "dock")
    rig.watch_order()
    work(rig)
    rig.mosquitto.start()


@scenario
def restarted(rig: Rig) -> None:
    start(rig)
    rig.mosquitto.stop()
    rig.mosquitto.start()
    work(rig)


@scenario
def killed_with_persistence(rig: Rig) -> None:
    """kill -9 in the middle of work; what it saved is there."""
    start(rig)
    rig.record(2)
    rig.mosquitto.kill()
    work(rig)
    rig.mosquitto.start()


@scenario
def killed_without_persistence(rig: Rig) -> None:
    """kill -9, and nothing it kept is there: retained messages, sessions, queues."""
    start(rig)
    rig.record(2)
    rig.mosquitto.kill()
    rig.mosquitto.forget()
    work(rig)
    rig.mosquitto.start()


@scenario
def wiped_while_idle(rig: Rig) -> None:
    """Nothing new happens: what was acknowledged long ago must be retained again all the same."""
    start(rig)
    rig.mosquitto.kill()
    rig.mosquitto.forget()
    rig.mosquitto.start()


@scenario
def flapping(rig: Rig) -> None:
    """Up and down again and again, each time a little later."""
    start(rig)
    for turn in range(6):
        rig.record(1)
        (rig.mosquitto.kill if turn % 2 else rig.mosquitto.stop)()
        rig.mosquitto.start()
        until(lambda: False, rig.rng.uniform(0.1, 1.5))
    work(rig)


@scenario
def broker_and_dock_killed(rig: Rig) -> None:
    start(rig)
    rig.record(2)
    until(lambda: False, rig.rng.uniform(0, 0.4))
    rig.kill("dock")
    rig.mosquitto.kill()
    rig.mosquitto.start()
    rig.start("dock")
    work(rig)


@scenario
def broker_and_both_services_killed(rig: Rig) -> None:
    """And the broker kept nothing."""
    start(rig)
    rig.record(2)
    until(lambda: False, rig.rng.uniform(0, 0.4))
    for name in ("dock", "policy"):
        rig.kill(name)
    rig.mosquitto.kill()
    rig.mosquitto.forget()
    rig.mosquitto.start()
    rig.start("dock", "policy")
    work(rig)


# the network between


@scenario
def frozen(rig: Rig) -> None:
    """SIGSTOP: connections stay up and nothing moves, longer than two keepalives; then it goes on."""
    start(rig)
    rig.mosquitto.signal(signal.SIGSTOP)
    rig.record(2)
    rig.taken_in()
    until(lambda: False, 9)
    rig.mosquitto.signal(signal.SIGCONT)
    work(rig)


@scenario
def slow(rig: Rig) -> None:
    """Half a second each way, for each piece."""
    start(rig)
    for network in rig.networks.values():
        network.weather.delay = 0.5
    work(rig)
    until(lambda: False, 4)
    for network in rig.networks.values():
        network.weather.delay = 0


@scenario
def narrow(rig: Rig) -> None:
    """Three kilobytes a second."""
    start(rig)
    rig.networks["dock"].weather.bytes_per_second = 3000
    work(rig, 3)
    until(lambda: False, 4)
    rig.networks["dock"].weather.bytes_per_second = 0


@scenario
def dock_cut_off(rig: Rig) -> None:
    """Its connections are reset, and new ones too, while the policy service works on."""
    start(rig)
    rig.networks["dock"].weather.closed = True
    rig.networks["dock"].cut()
    work(rig)
    rig.networks["dock"].weather.closed = False


@scenario
def policy_cut_off(rig: Rig) -> None:
    start(rig)
    rig.networks["policy"].weather.closed = True
    rig.networks["policy"].cut()
    work(rig)
    rig.networks["policy"].weather.closed = False


@scenario
def half_open_up(rig: Rig) -> None:
    """What the dock sends goes nowhere, and nobody tells it."""
    start(rig)
    rig.networks["dock"].weather.swallow_up = True
    work(rig)
    until(lambda: False, 5)
    rig.networks["dock"].weather.swallow_up = False
    rig.networks["dock"].cut()


@scenario
def half_open_down(rig: Rig) -> None:
    """What the dock sends arrives; no answer does. It says everything again: duplicates."""
    start(rig)
    rig.networks["dock"].weather.swallow_down = True
    work(rig)
    until(lambda: False, 8)
    rig.networks["dock"].weather.swallow_down = False
    rig.networks["dock"].cut()


@scenario
def policy_half_open_down(rig: Rig) -> None:
    """The policy service speaks and is not answered: acknowledgements, answers and orders go out again and again."""
    start(rig)
    rig.networks["policy"].weather.swallow_down = True
    work(rig)
    until(lambda: False, 8)
    rig.networks["policy"].weather.swallow_down = False
    rig.networks["policy"].cut()


@scenario
def cut_in_the_middle(rig: Rig) -> None:
    """Each of the dock's connections ends after some kilobytes, in the middle of whatever it was saying."""
    start(rig)
    rig.networks["dock"].weather.cut_after = 9000
    rig.networks["dock"].cut()
    work(rig, 3)
    before = rig.networks["dock"].connections
    until(lambda: rig.networks["dock"].connections > before + 5, 12, 0.05)
    rig.networks["dock"].weather.cut_after = 0
    rig.networks["dock"].cut()


# the broker refuses


@scenario
def dock_may_not_publish(rig: Rig) -> None:
    """And an auditor who listens all the while misses no line of custody in the end."""
    with rig.caller("witness", "auditor") as auditor:
        auditor.subscribe(TOPICS.custody(DOCK, "+"), qos=1)
        start(rig)
        with rig.denied(f"/dock/{DOCK}/"):
            work(rig)
            until(lambda: "the broker refused" in rig.words("dock"), 10, 0.05)
        work(rig)
        rest(rig)
        wanted = {TOPICS.custody(DOCK, row["sequence"]) for row in rig.dock_rows("custody_entry")}
        until(lambda: wanted <= {topic for topic, _ in auditor.heard}, 5, 0.05)
        lines = {topic for topic, _ in auditor.heard}
        assert wanted <= lines, f"never said: {wanted - lines}"


@scenario
def dock_may_not_announce(rig: Rig) -> None:
    """Its bays and its custody pass, its notices do not."""
    start(rig)
    with rig.denied(f"/dock/{DOCK}/clip/"):
        work(rig)
        until(lambda: "the broker refused" in rig.words("dock"), 10, 0.05)


@scenario
def dock_hears_nothing(rig: Rig) -> None:
    """Mosquitto grants the subscription and delivers nothing."""
    start(rig)
    with rig.denied(f"/ack/{DOCK}", f"/order/{DOCK}/"):
        work(rig)
        until(lambda: False, 4)


@scenario
def acknowledgement_lost(rig: Rig) -> None:
    """The last one of the shift, and nothing happens after it that would bring another."""
    start(rig)
    with rig.denied(f"topic read bwc/v1/{AGENCY}/ack/{DOCK}"):
        names = rig.record(1)
        rig.taken_in()
        until(lambda: set(names) <= {row["clip_id"] for row in rig.policy_rows("clip")}, 10, 0.05)
        until(lambda: not rig.policy_rows("outbox"), 5, 0.05)


@scenario
def policy_may_not_speak(rig: Rig) -> None:
    """Neither acknowledge nor order, answer, decide."""
    start(rig)
    with rig.denied(*(f"topic write bwc/v1/{AGENCY}/{kind}/" for kind in ("ack", "order", "answer", "decision"))):
        work(rig)
        until(lambda: "the broker refused" in rig.words("policy"), 10, 0.05)


@scenario
def policy_hears_nothing(rig: Rig) -> None:
    start(rig)
    with rig.denied(f"topic read bwc/v1/{AGENCY}/attestation/+/+/+"):
        work(rig)
        until(lambda: False, 2)


@scenario
def packets_too_small(rig: Rig) -> None:
    """The broker says that it takes less than a notice has: set aside with an alarm, announced once it takes more."""
    start(rig)
    with rig.limited("max_packet_size 2500"):
        work(rig)
        until(lambda: "more than the broker takes" in rig.words("dock"), 15, 0.05)


@scenario
def payloads_too_small(rig: Rig) -> None:
    """The broker does not say so beforehand: it refuses in a way that ends the connection, each time."""
    start(rig)
    with rig.limited("message_size_limit 2500"):
        before = rig.networks["dock"].connections
        work(rig)
        until(lambda: rig.networks["dock"].connections > before + 2, 15, 0.05)


@scenario
def queue_limit(rig: Rig) -> None:
    """A broker that drops all but two queued messages, silently, for a policy service that is away."""
    start(rig)
    with rig.limited("max_queued_messages 2"):
        rig.end("policy")
        work(rig, 3)
        work(rig, 3)
        rig.start("policy")
        rest(rig)


# the policy service


@scenario
def policy_down_all_shift(rig: Rig) -> None:
    start(rig)
    rig.kill("policy")
    for _ in range(3):
        work(rig, 2)
    rig.start("policy")


def last_week(rig: Rig) -> Path:
    """A backup; after it more clips, releases, and a withdrawal."""
    rig.start("policy", "dock")
    rig.watch_order()
    now = datetime.now(UTC)
    hold = st.Hold(hold_id="h", incident_id="another", state="placed", reason="so that the chief spoke first", at=now)
    rig.attest(CHIEF.person_id, hold)
    rest(rig)
    work(rig)
    rest(rig)
    copy = rig.back_up()
    work(rig)
    work(rig)
    rest(rig)
    withdraw(rig)
    rest(rig)
    return copy


def never_released_again(rig: Rig) -> None:
    """Not for a moment, on half of what was said: what was released then would stay so."""
    rest(rig)
    wrong = [row["clip_id"] for row in rig.policy_rows("release_order") if row["request"]]
    assert not rig.withdrawn & set(wrong), f"released on a classification that was withdrawn: {rig.withdrawn}"


def withdraw(rig: Rig) -> None:
    """A classification made since the backup, and a release that rests on it, are no more.

    By the chief, who spoke before: a broker that goes by person gives out the withdrawal before what it withdraws.
    """
    clip_id = list(rig.asked)[-1]
    made = next(
        envelope.digest
        for envelope in rig.answered.values()
        if envelope.kind == "classification" and clip_id in envelope.statement(st.Classification).clip_ids
    )
    rig.withdrawn.add(clip_id)
    now = datetime.now(UTC)
    rig.attest(CHIEF.person_id, st.Withdrawal(attestation_sha256=made, reason="a mistake", at=now))


@scenario
def policy_from_backup(rig: Rig) -> None:
    """What it heard since comes back: notices from the dock and the broker, attestations that are retained."""
    copy = last_week(rig)
    rig.kill("policy")
    rig.restore(copy)
    rig.start("policy")
    never_released_again(rig)


@scenario
def policy_from_backup_while_docking(rig: Rig) -> None:
    copy = last_week(rig)
    rig.kill("policy")
    rig.restore(copy)
    work(rig)
    rig.start("policy")
    work(rig)
    never_released_again(rig)


@scenario
def policy_begins_anew(rig: Rig) -> None:
    """No backup at all."""
    last_week(rig)
    rig.kill("policy")
    rig.restore(None)
    rig.start("policy")
    rig.watch_order()
    never_released_again(rig)


@scenario
def policy_begins_anew_and_notices_gone(rig: Rig) -> None:
    """The broker kept its sessions and lost what it retained of clips, as a cluster that lost a node: only the policy
    service itself, which now acknowledges less than before, makes the dock say it again.
    """
    last_week(rig)
    rig.kill("policy")
    with rig.caller("dock", DOCK) as dock:
        for clip_id in rig.recorded:
            dock.publish(TOPICS.clip(DOCK, clip_id), b"", retain=True)
    rig.restore(None)
    rig.start("policy")
    rig.watch_order()


@scenario
def policy_from_backup_and_broker_wiped(rig: Rig) -> None:
    """Only the dock still knows its notices; people attest again what was heard by nobody who remembers."""
    copy = last_week(rig)
    rig.kill("policy")
    rig.mosquitto.kill()
    rig.mosquitto.forget()
    rig.restore(copy)
    rig.mosquitto.start()
    rig.start("policy")
    rig.said |= rig.answered
    rig.answered.clear()


# others


@scenario
def session_taken_over(rig: Rig) -> None:
    """Somebody with a certificate of their own connects under the dock's and the policy service's client ids."""
    start(rig)
    for client_id in (f"{AGENCY}-{DOCK}", f"{AGENCY}-{DOCK}-inbox", f"{AGENCY}-policy", f"{AGENCY}-policy-inbox"):
        rig.record(1)
        for session in (True, False):
            with rig.caller("person", SUPERVISOR.person_id, client_id=client_id, session=session) as thief:
                thief.subscribe("#")
                thief.barrier()
                assert not [topic for topic, _ in thief.heard if "/order/" in topic or "/ack/" in topic]
    work(rig)


@scenario
def everything_twice(rig: Rig) -> None:
    """Each notice, order and attestation there is comes again, out of order; notices that have newer ones, too."""
    start(rig)
    names = rig.record(1)
    rest(rig)
    with rig.caller("board", "room") as board:
        board.subscribe(TOPICS.clip(DOCK, "+"))
        board.barrier()
        old = list(board.heard)
    for name in names:
        rig.ask_for(name)
    rest(rig)
    with rig.caller("policy", "policy") as policy, rig.caller("dock", DOCK) as dock:
        for row in rig.policy_rows("release_order") * 3:
            policy.publish(TOPICS.order(DOCK, row["clip_id"]), bytes(row["envelope"]))
        for topic, payload in old[::-1] * 3:
            dock.publish(topic, payload)
    rig.said |= rig.answered


def one(name: str, processes: Processes, seed: int) -> list[str]:
    """Runs one scenario; what did not hold."""
    with scratch() as root, rig(root / name, processes, seed) as made:
        try:
            return _outcome(SCENARIOS[name], made)
        except Exception as error:  # noqa: BLE001 - one scenario's trouble is told, and the others go on
            return [f"{type(error).__name__}: {error}"]


def _outcome(inject: Scenario, made: Rig) -> list[str]:
    inject(made)
    problems = invariants.settle(made)
    if problems:
        return problems
    work(made)  # whatever was still on its way has passed once this has
    return invariants.settle(made) or invariants.broken(made)


def run(count: int, seed: int, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """`count` faults, each scenario in its turn (0: each once)."""
    chosen = list(names or SCENARIOS)
    started = time.monotonic()
    problems: list[str] = []
    of: dict[str, float] = {}
    faults = 0
    with ExitStack() as stack:
        processes = stack.enter_context(Processes())
        for number in range(count or len(chosen)):
            name = chosen[number % len(chosen)]
            begun = time.monotonic()
            found = one(name, processes, seed * 1000 + number)
            problems += [f"{name}: {problem}" for problem in found]
            of[name] = round(time.monotonic() - begun, 1)
            print(f"{name}: {of[name]} s, {found or 'held'}", file=sys.stderr, flush=True)
            faults += 1
    return {
        "broker_faults": faults,
        "lost": len({problem.split(":")[0] for problem in problems}),
        "of": of,
        "problems": problems[:10],
        "seconds": round(time.monotonic() - started, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--faults", type=int, default=0, help="how many; 0 means each scenario once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("names", nargs="*", help="only these scenarios")
    given = parser.parse_args()
    print(json.dumps(run(given.faults, given.seed, tuple(given.names)), indent=2))


if __name__ == "__main__":
    main()
