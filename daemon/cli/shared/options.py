"""Options and ways that several command groups share."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import click

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
STORE = click.option(
    "--store",
    type=click.Path(path_type=Path),
    envvar="BWC_STORE",
    help="For a --vault URL: a TOML file with the store's endpoint, access_key_id, … [default: the environment]",
)


def _config(name: str, whose: str) -> Callable[[Any], Any]:
    return click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        default=Path(f"/etc/bwc/{name}.toml"),
        show_default=True,
        help=f"The {whose}'s configuration.",
    )


DOCK_CONFIG = _config("dock", "dock")
POLICY_CONFIG = _config("policy", "policy service")
BOARD_CONFIG = _config("board", "status page")


def timezone_settings(default: str = "this machine's") -> dict[str, Any]:
    """What the option --timezone has everywhere. `default` says in words whose days and clocks are meant without it."""
    return {
        "envvar": "BWC_TIMEZONE",
        "metavar": "NAME",
        "help": f"The agency's time zone, such as America/Los_Angeles.  [default: {default}]",
    }


class Service(Protocol):
    """What runs until it is told to stop."""

    def run(self) -> None:
        """Serves until `stop`."""

    def stop(self) -> None:
        """Ends `run`; safe in a signal handler."""

    def reload(self) -> None:
        """Reads configuration and trust again; safe in a signal handler."""


def run_until_signalled(service: Service) -> None:
    """Runs it until SIGTERM or SIGINT; SIGHUP makes it read its configuration and trust again."""
    signal.signal(signal.SIGHUP, lambda *_: service.reload())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stop())
    service.run()
