"""Forks daemons from memory that has everything imported already. Commands are JSON lines; each answer is one number.

dock {config, log, ready}    -> pid of a dock that runs, in a session of its own
drive {config, log, …}       -> pid of a process that waits for its tracer, then takes clips in once (see faults.py)
wait {pid}                   -> its wait status
"""

from __future__ import annotations

import json
import multiprocessing.forkserver
import multiprocessing.resource_tracker
import os
import secrets
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daemon.cli.shared.output import start_logging
from daemon.dock.service import DockService
from daemon.model.clock import SystemClock
from daemon.model.config import DockConfig, load_config
from daemon.model.errors import BwcError
from daemon.seal.core_dumps import forget_in_core_dumps
from tests.kit import inline_dock


def main() -> None:
    multiprocessing.resource_tracker.ensure_running()
    for line in sys.stdin:
        command = json.loads(line)
        match command.pop("do"):
            case "dock":
                answer = _fork(run_dock, command)
            case "drive":
                answer = _fork(inline_dock.main, command)
            case _:
                answer = os.waitpid(command["pid"], 0)[1]
        print(answer, flush=True)


def _fork(work: Callable[..., None], command: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        log = os.open(command.pop("log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.dup2(log, 2)
        work(**command)
        code = 0
    except BwcError as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        code = type(error).exit_code
    except BaseException:  # noqa: BLE001 - a process ends here, and says why
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def run_dock(config: str, ready: str) -> None:
    """What `bwc dock run` does."""
    settings = load_config(DockConfig, Path(config))
    start_logging(settings.log)
    forget_in_core_dumps()
    own_fork_server()  # first: what is forked must not inherit the vault's lock
    service = DockService(settings, SystemClock())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stop())
    service.run(Path(ready).touch)


def own_fork_server() -> None:
    """This process's fork server for readers, forked instead of started anew: the same code, a third of a second less.

    Left to multiprocessing where its insides are not as expected.
    """
    server: Any = multiprocessing.forkserver._forkserver
    if sys.version_info >= (3, 12) or not hasattr(server, "_forkserver_alive_fd"):
        return
    listener = socket.socket(socket.AF_UNIX)
    address = f"\0bwc-fork-{os.getpid()}-{secrets.token_hex(8)}"  # abstract, unix(7): nothing to be left behind
    listener.bind(address)
    listener.listen()
    alive_read, alive_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(alive_write)
            multiprocessing.forkserver.main(listener.fileno(), alive_read, [])
        finally:
            os._exit(0)
    listener.close()
    os.close(alive_read)
    server._forkserver_address, server._forkserver_alive_fd, server._forkserver_pid = address, alive_write, pid


if __name__ == "__main__":
    main()
