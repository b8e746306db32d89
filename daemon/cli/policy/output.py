"""How answers look in a terminal, on paper and in a pipe. Makes text; decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from daemon.core.words import need_sentence
from daemon.policy.rules.decide import DEFAULT_DENY, Ruling


def because_lines(answer: Ruling) -> list[str]:
    """One line for each reason."""
    return [f"{b.reason} [{b.policy_id}]" for b in answer.because]


def needs_lines(answer: Ruling) -> list[str]:
    """One line for each need; for a refusal that nothing can open, that."""
    if answer.released:
        return []
    return [need_sentence(need) for need in answer.needs] or ["nothing would open it"]


def answer_lines(name: str, answer: Ruling) -> Iterable[str]:
    """An answer as plain lines."""
    yield f"{name}: {answer.outcome}"
    yield from (f"  because {line}" for line in because_lines(answer))
    yield from (f"  needs {line}" for line in needs_lines(answer))


def comparison(answers: Mapping[str, Ruling]) -> Table:
    """The regimes side by side."""
    table = Table(show_lines=True)
    for heading in ("regime", "outcome", "because", "what would open it"):
        table.add_column(heading, overflow="fold")
    for name, answer in answers.items():
        colour = "green" if answer.released else "red"
        why = [b.reason for b in answer.because if b != DEFAULT_DENY] or [DEFAULT_DENY.reason]
        table.add_row(
            escape(name),
            f"[{colour}]{answer.outcome}[/]",
            escape("\n".join(why)),
            escape("\n".join(needs_lines(answer))),
        )
    return table


def print_answers(answers: Mapping[str, Ruling], console: Console) -> None:
    """A table in a terminal, plain lines anywhere else."""
    if console.is_terminal and len(answers) > 1:
        console.print(comparison(answers))
        return
    for number, (name, answer) in enumerate(answers.items()):
        if number:
            click.echo()
        for line in answer_lines(name, answer):
            click.echo(line)
