"""A citywide day on this machine: `make city`. Needs root, Mosquitto, PostgreSQL, Ceph; its last line is a JSON object.

800 officers, 3,100 clips at a thousandth of their bytes, 1,500 incidents, 12 docks. Each dock, the broker, two policy
services (on one PostgreSQL) and the object store are hosts of their own. On the way a dock and the broker are killed,
another dock is cut off from the network, a policy service and the object store are killed. At the end every clip is
looked for wherever it must be (model.py).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from daemon.cli.demo.stage import BWC, SIM
from tests.city import agency, model, people
from tests.city.agency import City
from tests.city.broker import SAVES_EVERY, configuration
from tests.city.net import Hosts
from tests.city.processes import Processes, until
from tests.kit.postgres import server
from tests.kit.signed_requests import send
from tests.objects import ceph
from tests.objects.ceph import Ceph

DOCKS = tuple(f"dock-{number:02}" for number in range(1, 13))
BROKER, STORE, CAD, PEOPLE = "broker", "store", "cad", "people"
BUCKET = "evidence"
POLICIES = ("policy-1", "policy-2")
PORT, SEED = 8883, 20
SPEED = 1080
"""The day's first call to the last camera's docking, 43 hours, in 143 seconds: dispatch speaks before cameras dock."""
ASKING = 40
"""Officers who ask for one clip each."""
_PATIENCE = 240.0
_FIRST = ("nice", "--adjustment=-10")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make city", description=__doc__.splitlines()[0])
    parser.add_argument("--officers", type=int, help="fewer, with clips and incidents in proportion")
    parser.add_argument("--keep", type=Path, help="leave everything in this new folder")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("only root can make hosts of their own: sudo make city")
    missing = ceph.why_not()
    if missing is not None:
        parser.error(f"the object store is {missing}")
    names = (BROKER, STORE, *POLICIES, CAD, PEOPLE, *DOCKS)
    with (
        _folder(options.keep) as folder,
        Hosts(names) as hosts,
        server() as postgres,
        people.on(hosts.space(PEOPLE)),
        ceph.running(ceph.Host(hosts.address(STORE), partial(hosts.inside, STORE))) as store,
    ):
        found = Day(folder, hosts, store, postgres.database(), options.officers).play()
    for difference in found["found"].differences[:20]:
        print(f"DIFFERENCE: {difference}")
    comparison = found.pop("found")
    line = {**comparison.__dict__, "differences": len(comparison.differences), **found}
    print(json.dumps(line))
    sys.exit(1 if comparison.differences else 0)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir()
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="bwc-city-") as name:
        yield Path(name)


class Day:
    """One day of the city, from the first document to the comparison."""

    def __init__(self, folder: Path, hosts: Hosts, store: Ceph, database: str, officers: int | None) -> None:
        self._hosts = hosts
        self._store = store
        self._officers = officers
        day = (datetime.now(UTC) - timedelta(days=2)).date()
        words = ["--precinct", "citywide", "--seed", str(SEED), "--date", str(day)]
        self._shift = [*words, *(("--officers", str(officers)) if officers else ())]
        self._plan = self._planned()
        worn = {camera["officer_id"]: camera for camera in self._plan["cameras"] if camera["clips"]}
        broker = f"mqtts://{hosts.address(BROKER)}:{PORT}"
        self._city = City(folder / "city", DOCKS, tuple(sorted(worn)[:ASKING]), broker, database, f"s3://{BUCKET}")
        self._processes = Processes(hosts, folder / "logs")
        self._began = time.monotonic()
        self._troubled = 0

    def play(self) -> dict[str, Any]:
        """Everything; returns the comparison, and for how many seconds the day was played until all was settled."""
        serials = [camera["serial"] for camera in self._plan["cameras"]]
        self._say(f"{len(serials)} cameras, {self._clips} clips, {len(self._plan['incidents'])} incidents")
        agency.make(self._city, self._hosts.address(BROKER), serials)
        with self._processes as processes:
            self._start_services()
            ears = people.Ears(self._city)
            try:
                until(lambda: ears.online() == set(DOCKS), "every dock online", 120)
                self._say("12 docks online; the day begins")
                self._begin_day()
                troubles = threading.Thread(target=self._trouble, args=(ears,))
                troubles.start()
                played = self._end_day(ears)
                troubles.join()
                assert self._troubled == 5, "not every trouble came about"
                until(lambda: ears.settled() == set(DOCKS), "every notice acknowledged", _PATIENCE)
                self._say("every notice acknowledged")
                until(lambda: ears.replicated() == set(DOCKS), "every clip in the object store", _PATIENCE)
                self._say("every clip in the object store")
                clips = model.recorded(self._plan, played)
                released = self._releases(ears, clips)
                seconds = round(time.monotonic() - self._began, 1)
                honoured = self._honoured(ears, released)
                found = model.compare(self._city, self._plan, clips, ears.notices())
                self._say("held against the model")
                found.released, found.honoured = len(released), len(honoured)
                found.differences += [f"{clip}: released, but not on its dock" for clip in released - honoured]
                processes.check_alive(BROKER, *POLICIES, *DOCKS)
            finally:
                ears.close()
        return {"found": found, "seconds": seconds}

    @property
    def _clips(self) -> int:
        return sum(len(camera["clips"]) for camera in self._plan["cameras"])

    def _planned(self) -> dict[str, Any]:
        ran = subprocess.run([*SIM, "shift", *self._shift, "--plan-only", "--json"], capture_output=True, check=True)
        plan: dict[str, Any] = json.loads(ran.stdout)
        return plan

    def _say(self, what: str) -> None:
        print(f"[{time.monotonic() - self._began:5.0f} s] {what}", flush=True)

    def _start_services(self) -> None:
        processes, city = self._processes, self._city
        address = self._hosts.address(BROKER)
        city.store_settings.write_text(self._store.account.settings)
        city.store_authority.write_bytes(self._store.authority or b"")
        send(self._store.account, "PUT", f"/{BUCKET}")
        config = configuration(city.root, address, PORT)
        # on machines of their own docks could not crowd out whom all of them wait for
        processes.start(BROKER, BROKER, *_FIRST, "mosquitto", "-c", str(config))
        processes.await_port(PEOPLE, address, PORT)
        for name in POLICIES:
            processes.start(name, name, *_FIRST, *BWC, "policy", "serve", "--config", str(city.config("policy")))
        for dock in DOCKS:
            processes.start(dock, dock, *BWC, "dock", "run", "--config", str(city.config(dock)))

    def _begin_day(self) -> None:
        """Dispatch sends its documents; at each dock its share of the cameras comes in."""
        city, tls = self._city, self._city.tls("dispatch", "cad")
        forgets = ("--broker-forgets", str(2 * SAVES_EVERY))
        certificate = [word for name, path in tls.items() for word in (f"--{name}", str(path))]
        for number, dock in enumerate(DOCKS, 1):
            mounts, keys = str(city.place(dock) / "mounts"), str(city.keys)
            where = ("--mounts", mounts, "--keys", keys, "--dock-key", f"{keys}/{dock}.sign.pub.pem")
            own: tuple[str, ...] = (
                "--share",
                f"{number}/{len(DOCKS)}",
                "--bays",
                "6",
                "--timeout",
                str(_PATIENCE),
                "--json",
            )
            own += ("--speed", str(SPEED))
            speaks = ("--to", city.broker, *forgets, "--agency", agency.AGENCY, *certificate) if number == 1 else ()
            command = (*SIM, "shift", *self._shift, *where, *own, *speaks)
            self._processes.start(f"cameras-{dock}", CAD if speaks else dock, *command)

    def _end_day(self, ears: people.Ears) -> dict[str, dict[str, Any]]:
        """What the cameras of each dock say, once all have left."""
        played = {}
        told = 0
        end = time.monotonic() + 2 * _PATIENCE
        waiting = list(DOCKS)
        while waiting:
            assert time.monotonic() < end, f"cameras still docked at {waiting}"
            for dock in [dock for dock in waiting if not self._processes.running(f"cameras-{dock}")]:
                said = self._processes.said(f"cameras-{dock}")
                played[dock] = json.loads(said[said.index("{") :])
                waiting.remove(dock)
            announced = len(ears.notices())
            if announced - told >= self._clips // 10:
                told = announced
                self._say(f"{announced} of {self._clips} clips announced")
            time.sleep(0.5)
        self._say("every camera has left its bay")
        return played

    def _trouble(self, ears: people.Ears) -> None:
        """A policy service, the broker, the object store, a dock, a dock's network: each lost and restored in turn."""
        for share, trouble in (
            (0.05, self._kill_a_policy_service),
            (0.10, self._kill_the_broker),
            (0.15, self._kill_the_store),
            (0.35, self._kill_a_dock),
            (0.50, self._cut_a_dock_off),
        ):
            wanted = int(share * self._clips)
            until(lambda wanted=wanted: len(ears.notices()) >= wanted, f"{wanted} clips announced", 2 * _PATIENCE)  # type: ignore[misc]
            trouble()
            self._troubled += 1

    def _kill_a_dock(self) -> None:
        self._lose(DOCKS[2], 3)

    def _kill_the_broker(self) -> None:
        self._lose(BROKER, 3)

    def _kill_a_policy_service(self) -> None:
        self._lose(POLICIES[0], 5)

    def _kill_the_store(self) -> None:
        self._store.kill()
        self._say("the object store killed")
        time.sleep(5)
        self._store.restart()
        self._say("the object store started again")

    def _lose(self, name: str, seconds: float) -> None:
        self._processes.kill(name)
        self._say(f"{name} killed")
        time.sleep(seconds)
        self._processes.restart(name)
        self._say(f"{name} started again")

    def _cut_a_dock_off(self) -> None:
        self._hosts.cut_off(DOCKS[5])
        self._say(f"{DOCKS[5]} cut off from the network")
        time.sleep(15)
        self._hosts.join(DOCKS[5])
        self._say(f"{DOCKS[5]} joined again")

    def _releases(self, ears: people.Ears, clips: list[model.Recorded]) -> set[str]:
        """Officers ask for a clip each, once a supervisor has said that there was no force. The clips released."""
        wanted: dict[str, str] = {}
        for clip in clips:
            if clip.officer in self._city.officers and clip.officer not in wanted.values():
                wanted[clip.clip_id] = clip.officer
        notices = ears.notices()
        incidents: dict[str, tuple[str, ...]] = {}
        for clip_id in wanted:
            called = {found["incident_id"] for found in notices[clip_id]["activation"]["assignments"]}
            incidents |= dict.fromkeys(called, ()) if called else {f"of-{clip_id}": (clip_id,)}
        people.classify(self._city, incidents)
        people.ask(self._city, wanted)
        self._say(f"{len(wanted)} officers ask for a clip")
        until(lambda: model.released(self._city) >= wanted.keys(), "every request released", 60)
        released = model.released(self._city)
        until(lambda: self._honoured(ears, released) == released, "every release honoured", 60)
        self._say(f"{len(released)} released, and honoured by their docks")
        return released

    def _honoured(self, ears: people.Ears, released: set[str]) -> set[str]:
        notices = ears.notices()
        return {clip for clip in released if notices[clip]["lock"]["state"] == "released"}


if __name__ == "__main__":
    main()
