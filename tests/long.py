"""The long run (`make test-long`, as root): what the quick shares of `tests/crash` sample, in full.

The last line is one JSON object of what was counted. `lost` counts violations of the promise.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from tests.crash import faults, kills, power


def main() -> int:
    parser = argparse.ArgumentParser(prog="make test-long", description=__doc__)
    parser.add_argument("--cuts", type=int, default=300, help="power cuts on each file system")
    parser.add_argument("--faults", type=int, default=0, help="faults; 0 means until none is hit")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    parts: list[dict[str, Any]] = []
    for filesystem in ("ext4", "xfs"):
        parts.append(_told(f"power cuts on {filesystem}", power.run(given.cuts, given.seed, filesystem=filesystem)))
    parts.append(_told("faults", faults.run(given.faults, given.seed)))
    parts.append(_told("kills", kills.run(given.kills, given.seed)))
    counted = {name: sum(part.get(name, 0) for part in parts) for name in ("power_cuts", "faults", "kills", "lost")}
    print(json.dumps(counted))
    return 1 if counted["lost"] else 0


def _told(what: str, part: dict[str, Any]) -> dict[str, Any]:
    print(f"{what}: {json.dumps(part)}", flush=True)
    return part


if __name__ == "__main__":
    raise SystemExit(main())
