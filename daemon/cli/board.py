"""`bwc board`: the status page."""

from __future__ import annotations

from pathlib import Path

import click

from daemon.cli.shared.options import BOARD_CONFIG, run_until_signalled
from daemon.cli.shared.output import start_logging
from daemon.model.config import BoardConfig, load_config
from daemon.model.errors import ConfigurationError


@click.group()
def board() -> None:
    """The status page: bays for the dock room's screen, locked clips for supervisors. It can release nothing."""


@board.command()
@BOARD_CONFIG
def serve(config_path: Path) -> None:
    """Serve the page until told to stop.

    \b
    Example:  bwc board serve --config board.toml
              then open http://127.0.0.1:8460/ (bays) and http://127.0.0.1:8460/clips
    """
    try:
        from daemon.board.serve import BoardService
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"the status page needs {error.name}", hint="pip install 'bwc-dock[board]'") from None
    from daemon.model.clock import SystemClock

    config = load_config(BoardConfig, config_path)
    start_logging(config.log)
    run_until_signalled(BoardService(config, SystemClock()))
