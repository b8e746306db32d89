"""`bwc dock status`: what a dock says of itself and its bays over MQTT, once or live."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from daemon.cli.shared.options import DOCK_CONFIG, JSON
from daemon.cli.shared.output import print_json
from daemon.core.rate import Rate, time_left
from daemon.link.mqtt import Received
from daemon.link.session import Session
from daemon.model.config import DockConfig, load_config
from daemon.model.documents import Bay, DockStatus
from daemon.model.errors import UnavailableError
from daemon.model.parse import parse_model
from daemon.model.times import format_instant
from daemon.model.topics import Topics


class DockView:
    """The dock's standing and its bays', as last heard."""

    def __init__(self, topics: Topics, dock_id: str) -> None:
        self._status_topic = topics.status(dock_id)
        self.status: DockStatus | None = None
        self.bays: dict[str, Bay] = {}
        self._rates: dict[str, Rate] = {}

    def hear(self, message: Received, now: float) -> None:
        """One message. Raises VerificationError for one that is no such document."""
        if message.topic == self._status_topic:
            self.status = parse_model(DockStatus, message.payload, what="status")
            return
        bay = parse_model(Bay, message.payload, what=message.topic)
        self.bays[bay.bay] = bay
        self._rates.setdefault(bay.bay, Rate()).saw(now, bay.bytes_done)

    def headline(self) -> str:
        """The dock in one line."""
        status = self.status
        if status is None:
            return "nothing heard from the dock yet"
        checked = format_instant(status.scrubbed_at) if status.scrubbed_at else "not yet"
        behind = f"{status.unreplicated} not replicated, " if status.unreplicated is not None else ""
        return (
            f"{status.dock_id}: {status.state}, {status.locked} locked, {status.released} released, "
            f"{status.backlog} not acknowledged, {behind}{status.vault_free_bytes // 2**30} GiB free\n"
            f"  vault read and checked: {checked}, {status.scrub_findings} findings"
        )

    def table(self) -> Table:
        """The bays with somebody in them, their rates and the time left."""
        table = Table(title=self.headline(), title_justify="left", title_style="", box=None)
        for column in ("bay", "state", "camera", "officer", "clips", "done", "MB/s", "left", ""):
            table.add_column(column, justify="right" if column in {"clips", "done", "MB/s", "left"} else "left")
        for bay in sorted(self.bays.values(), key=lambda bay: bay.bay):
            rate = self._rates[bay.bay].bytes_per_second if bay.state == "reading" else 0.0
            table.add_row(
                bay.bay,
                bay.state,
                bay.camera_serial or "",
                bay.officer_id or "",
                f"{bay.clips_done}/{bay.clips_total}",
                f"{100 * bay.bytes_done // bay.bytes_total}%" if bay.bytes_total else "",
                f"{rate / 1e6:.0f}" if rate else "",
                time_left(bay.bytes_total - bay.bytes_done, rate),
                bay.reason or "",
            )
        return table


@click.command()
@DOCK_CONFIG
@click.option("--watch", is_flag=True, help="Stay, and show bays, rates and time left as they change.")
@JSON
def status(config_path: Path, watch: bool, as_json: bool) -> None:
    """Show what the dock says of itself and its bays over MQTT.

    \b
    Example:  bwc dock status --config config/dock.toml
              bwc dock status --watch
    """
    config = load_config(DockConfig, config_path)
    topics = Topics(config.agency)
    board = DockView(topics, config.dock_id)
    with Session(config.broker, (topics.status(config.dock_id), topics.bay(config.dock_id, "+"))) as session:
        for message in session.retained():
            board.hear(message, time.monotonic())
        if watch:
            with Live(board.table(), console=Console(), auto_refresh=False) as live:
                _follow(session, board, lambda: live.update(board.table(), refresh=True))
            return
    if board.status is None:
        raise UnavailableError(f"dock {config.dock_id} has published nothing", hint="is it running? bwc dock run")
    if as_json:
        bays = [board.bays[name].plain() for name in sorted(board.bays)]
        print_json({"dock": board.status.plain(), "bays": bays})
        return
    click.echo(board.headline())
    for bay in sorted(board.bays.values(), key=lambda bay: bay.bay):
        click.echo(f"  {bay.bay:12} {bay.state:8} {bay.clips_done}/{bay.clips_total} clips  {bay.reason or ''}")


def _follow(session: Session, board: DockView, show: Callable[[], None]) -> None:
    """Until interrupted, also where whoever started us ignores that."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    while not stopping.is_set():
        message = session.wait(lambda _: True, 1.0)
        if message is not None:
            board.hear(message, time.monotonic())
        show()
