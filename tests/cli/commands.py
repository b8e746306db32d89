"""Every command there is, by its words."""

from __future__ import annotations

from collections.abc import Iterator

import click

from daemon.cli.main import bwc
from device_sim.cli import cli as bwc_sim


def walk(command: click.Command = bwc, words: str = "bwc") -> Iterator[tuple[str, click.Command]]:
    """This command and all below it."""
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=words)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from walk(below, f"{words} {name}")


EVERY = {**dict(walk()), **dict(walk(bwc_sim, "bwc-sim"))}
LEAVES = {words: command for words, command in EVERY.items() if not isinstance(command, click.Group)}
