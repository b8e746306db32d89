"""The long run (`make test-long`, as root): what the quick shares of the tests sample, in full. Up to an hour.

The last line is one JSON object of what was counted. `lost` counts violations of the promise, `escaped` whatever got
out of a camera's mount or into a parser that should have refused it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from typing import Any

from tests.broker import faults as broker
from tests.crash import faults, kills, power, tampering
from tests.hostile import forgeries, mounts, swaps
from tests.objects import object_lock
from tests.objects import test_crashes as store_crashes

COUNTED = (
    "power_cuts",
    "faults",
    "kills",
    "broker_faults",
    "malformed",
    "swaps",
    "bit_flips",
    "bit_flips_found",
    "forgeries",
    "forgeries_refused",
    "store_crashes",
    "object_lock",
    "lost",
    "escaped",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make test-long", description=__doc__)
    parser.add_argument("--cuts", type=int, default=300, help="power cuts on each file system")
    parser.add_argument("--faults", type=int, default=0, help="faults; 0 means until none is hit")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--broker-faults", type=int, default=0, help="0 means each kind once")
    parser.add_argument("--malformed", type=int, default=100_000)
    parser.add_argument("--swaps", type=int, default=200_000)
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parts = list(_parts(parser.parse_args()))
    counted = {name: sum(int(part.get(name, 0)) for part in parts) for name in COUNTED}
    print(json.dumps(counted))
    held = counted["bit_flips"] == counted["bit_flips_found"] and counted["forgeries"] == counted["forgeries_refused"]
    return 0 if held and not counted["lost"] and not counted["escaped"] else 1


def _parts(given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    seed = given.seed
    for filesystem in ("ext4", "xfs"):
        yield _told(f"power cuts on {filesystem}", lambda fs=filesystem: power.run(given.cuts, seed, filesystem=fs))
    yield _told("faults", lambda: faults.run(given.faults, seed))
    yield _told("faults where the dock erases", lambda: faults.run(given.faults, seed, erase="dock"))
    yield _told("kills", lambda: kills.run(given.kills, seed))
    yield _told("broker faults", lambda: broker.run(given.broker_faults, seed))
    yield _told("hostile mounts and documents", lambda: mounts.run(given.malformed, seed))
    yield _told("swap races", lambda: swaps.run(given.swaps, seed))
    yield _told("flipped bits", lambda: tampering.run(given.flips, seed))
    yield _told("forgeries", lambda: forgeries.run())
    yield _told("crashes while copying to a store and evicting", store_crashes.run)
    yield _told("object lock on Ceph", object_lock.run)


def _told(what: str, run: Any) -> dict[str, Any]:
    started = time.monotonic()
    print(f"{what} …", flush=True)
    part: dict[str, Any] = run()
    print(f"{what}: {time.monotonic() - started:.0f} s {json.dumps(part, default=str)}", flush=True)
    return part


if __name__ == "__main__":
    raise SystemExit(main())
