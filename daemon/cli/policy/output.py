"""How rulings look in a terminal, on paper and in a pipe. Makes text; decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from daemon.core.words import need_told
from daemon.policy.rules.decide import DEFAULT_DENY, Ruling


def because_lines(ruling: Ruling) -> list[str]:
    """One line for each reason."""
    return [f"{b.reason} [{b.policy_id}]" for b in ruling.because]


def needs_lines(ruling: Ruling) -> list[str]:
    """One line for each need; for a refusal that nothing can open, that."""
    if ruling.released:
        return []
    return [need_told(need) for need in ruling.needs] or ["nothing would open it"]


def ruling_lines(name: str, ruling: Ruling) -> Iterable[str]:
    """A ruling as plain lines."""
    yield f"{name}: {ruling.outcome}"
    yield from (f"  because {line}" for line in because_lines(ruling))
    yield from (f"  needs {line}" for line in needs_lines(ruling))


def comparison(rulings: Mapping[str, Ruling]) -> Table:
    """The regimes side by side."""
    table = Table(show_lines=True)
    for heading in ("regime", "outcome", "because", "what would open it"):
        table.add_column(heading, overflow="fold")
    for name, ruling in rulings.items():
        colour = "green" if ruling.released else "red"
        why = [b.reason for b in ruling.because if b != DEFAULT_DENY] or [DEFAULT_DENY.reason]
        table.add_row(
            escape(name),
            f"[{colour}]{ruling.outcome}[/]",
            escape("\n".join(why)),
            escape("\n".join(needs_lines(ruling))),
        )
    return table


def print_rulings(rulings: Mapping[str, Ruling], console: Console) -> None:
    """A table in a terminal, plain lines anywhere else."""
    if console.is_terminal and len(rulings) > 1:
        console.print(comparison(rulings))
        return
    for number, (name, ruling) in enumerate(rulings.items()):
        if number:
            click.echo()
        for line in ruling_lines(name, ruling):
            click.echo(line)
