"""Forks docks and policy services from memory that has everything imported already. Commands and answers are those of
`tests.kit.daemon_forks`; the services' own waits are shorter here, so that a fault is outlived in seconds.
"""

from __future__ import annotations

import json
import multiprocessing.resource_tracker
import os
import signal
import sys
from pathlib import Path

from daemon.cli.shared.output import start_logging
from daemon.dock.outbox import announcer
from daemon.link import mqtt, retry
from daemon.model.clock import SystemClock
from daemon.model.config import PolicyConfig, load_config
from daemon.policy.service import PolicyService
from tests.kit.daemon_forks import _fork, run_dock


def main() -> None:
    multiprocessing.resource_tracker.ensure_running()
    announcer.STALL_SECONDS, announcer.LONGEST_WAIT = 3.0, 12.0
    retry.RETRY_SECONDS = 2.0
    mqtt.RECONNECT_SECONDS = (1, 2)
    for line in sys.stdin:
        command = json.loads(line)
        match command.pop("do"):
            case "dock":
                answer = _fork(run_dock, command)
            case "policy":
                answer = _fork(run_policy, command)
            case _:
                answer = os.waitpid(command["pid"], 0)[1]
        print(answer, flush=True)


def run_policy(config: str, ready: str) -> None:
    """What `bwc policy serve` does."""
    settings = load_config(PolicyConfig, Path(config))
    start_logging(settings.log)
    serving = PolicyService(settings, SystemClock(), repeat_seconds=1.0)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: serving.stop())
    serving.run(Path(ready).touch)


if __name__ == "__main__":
    main()
