"""`bwc fleet`: all docks of an agency at a glance."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from daemon.cli.shared.options import JSON
from daemon.cli.shared.output import print_json
from daemon.cli.shared.person import as_client
from daemon.model.config import Broker
from daemon.model.errors import TamperedError

_PATH = click.Path(path_type=Path)
_PIPE = 200
"""Columns where nobody says how many there are."""
_WORDS = {
    "first seen": "first seen",
    "same": "as before",
    "extends": "extends the one before",
    "longer": "longer (no witness to prove it)",
    "split": "SPLIT VIEW",
    "none": "",
}


@click.group()
def fleet() -> None:
    """All docks of an agency: who is behind, full, silent, or tells two stories."""


@fleet.command()
@as_client
@click.option("--trust", type=_PATH, required=True, help="The agency's trust.json.")
@click.option("--root", type=_PATH, required=True, help="The agency's root.sign.pub.pem.")
@click.option("--seen", type=_PATH, help="Where checkpoints are remembered. [~/.local/state/bwc/fleet/AGENCY]")
@click.option("--witnessed", type=_PATH, help="What `bwc custody witness` keeps: proves that logs only grew.")
@JSON
def status(
    broker: Broker,
    agency: str,
    trust: Path,
    root: Path,
    seen: Path | None,
    witnessed: Path | None,
    as_json: bool,
) -> None:
    """Show every dock: backlog, disk, oldest unacknowledged notice, clock, version, and its custody log.

    Each dock's newest checkpoint is remembered and held against the next one. Exit 4 when a log contradicts itself. A
    board's or a witness's certificate is enough.

    \b
    Example:  bwc fleet status --broker mqtts://broker.example --agency portland \\
                  --trust trust.json --root root.sign.pub.pem --witnessed witnessed/
    """
    from daemon.link.session import Session
    from daemon.model.topics import Topics
    from daemon.review.fleet import DockLine, describe
    from daemon.seal.keys import load_sign_public
    from daemon.seal.trust import load_trust

    enrolled = load_trust(trust, load_sign_public(root))
    topics = Topics(agency)
    with Session(broker, (topics.status("+"), topics.checkpoint("+"))) as session:
        messages = session.retained()
    where = seen or _state() / "fleet" / agency
    lines: list[DockLine] = describe(messages, topics, enrolled, datetime.now(UTC), where, witnessed)
    if as_json:
        print_json([_plain(line) for line in lines])
    else:
        _print(lines)
    split = [line.dock_id for line in lines if line.alarming]
    if split:
        raise TamperedError(f"the custody log of {', '.join(split)} contradicts what was announced before")


def _state() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "bwc"


def _plain(line: Any) -> dict[str, Any]:
    return {
        "dock_id": line.dock_id,
        "status": line.status.plain() if line.status else None,
        "custody_entries": line.log,
        "custody": line.extends,
        "clock_ahead_seconds": line.ahead,
        "worries": line.worries,
    }


def _print(lines: list[Any]) -> None:
    table = Table(box=None)
    for column in ("dock", "state", "locked", "backlog", "oldest", "disk", "version", "custody", "log", ""):
        right = column in {"locked", "backlog", "oldest", "disk", "custody"}
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for line in lines:
        said = line.status
        figures = (
            (said.state, str(said.locked), str(said.backlog), _oldest(said), _disk(said), said.version)
            if said
            else ("?", "", "", "", "", "")
        )
        log = str(line.log) if line.log is not None else ""
        table.add_row(line.dock_id, *figures, log, _WORDS[line.extends], "; ".join(line.worries))
    console = Console()
    (console if console.is_terminal else Console(width=_PIPE)).print(table)


def _oldest(said: Any) -> str:
    return f"{said.oldest_unacknowledged_seconds:.0f} s" if said.backlog else ""


def _disk(said: Any) -> str:
    return f"{said.vault_free_bytes // 2**30} GiB"
