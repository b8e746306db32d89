"""How answers look in a terminal, on paper and in a pipe. Makes text; decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from daemon.model.documents import Need
from daemon.model.times import format_instant
from daemon.policy.decide import DEFAULT_DENY, Answer

_WHOM = {
    "supervisor": "a supervisor",
    "internal_affairs": "internal affairs",
    "chief": "the chief",
    "records": "the records staff",
}
_FORM = {"unrecorded": "a statement", "audio": "an audio-recorded statement", "video": "a statement on video"}


def need_sentence(need: Need) -> str:
    """`an audio-recorded statement to internal affairs from 51234, due 2023-12-01T21:40:00.000Z`."""
    whom = _WHOM.get(need.from_ or "", need.from_ or "somebody")
    if need.kind == "statement":
        text = f"{_FORM.get(need.form or '', 'a statement')} to {whom} from {need.officer_id}"
    elif need.kind == "report":
        text = f"the filed report of {need.officer_id}"
    elif need.kind == "hold_lifted":
        text = "the legal hold lifted"
    else:
        text = f"{need.kind} by {whom}"
    return f"{text}, due {format_instant(need.by)}" if need.by else text


def because_lines(answer: Answer) -> list[str]:
    """One line for each reason."""
    return [f"{b.reason} [{b.policy_id}]" for b in answer.because]


def needs_lines(answer: Answer) -> list[str]:
    """One line for each need; for a refusal that nothing can open, that."""
    if answer.released:
        return []
    return [need_sentence(need) for need in answer.needs] or ["nothing would open it"]


def answer_lines(name: str, answer: Answer) -> Iterable[str]:
    """An answer as plain lines."""
    yield f"{name}: {answer.outcome}"
    yield from (f"  because {line}" for line in because_lines(answer))
    yield from (f"  needs {line}" for line in needs_lines(answer))


def comparison(answers: Mapping[str, Answer]) -> Table:
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


def print_answers(answers: Mapping[str, Answer], console: Console) -> None:
    """A table in a terminal, plain lines anywhere else."""
    if console.is_terminal and len(answers) > 1:
        console.print(comparison(answers))
        return
    for number, (name, answer) in enumerate(answers.items()):
        if number:
            click.echo()
        for line in answer_lines(name, answer):
            click.echo(line)
