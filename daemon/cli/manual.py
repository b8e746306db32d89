"""Man pages, and completion for bash, zsh and fish, made from the commands themselves. `make install` runs it:

    python -m daemon.cli.manual SHARE bwc=daemon.cli.main:bwc …

writes into SHARE (usually /usr/local/share) and prints what it wrote, relative to it. Needs the extra `man`.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import get_completion_class
from click_man.man import ManPage

from daemon import __version__

_PLACES = {
    "bash": "bash-completion/completions/{}",
    "zsh": "zsh/site-functions/_{}",
    "fish": "fish/vendor_completions.d/{}.fish",
}
"""Where each shell looks for what vendors bring."""


def man_pages(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    """Files and their text: one for this command, and one for each below it."""
    context = click.Context(command, info_name=name, parent=parent)
    below = {}
    if isinstance(command, click.Group):
        found = {word: command.get_command(context, word) for word in command.list_commands(context)}
        below = {word: one for word, one in found.items() if one is not None and not one.hidden}
    page = ManPage(context.command_path)
    page.version = __version__
    page.short_help = command.get_short_help_str(limit=200)
    page.description = _roff(inspect.cleandoc(command.help or ""))
    page.synopsis = " ".join(command.collect_usage_pieces(context))
    records = [option.get_help_record(context) for option in command.params if isinstance(option, click.Option)]
    page.options = [record for record in records if record is not None]
    page.commands = [(word, one.get_short_help_str(limit=200)) for word, one in below.items()]
    yield f"man/man1/{context.command_path.replace(' ', '-')}.1", str(page)
    for word, one in below.items():
        yield from man_pages(one, word, context)


def completions(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
    """Files and their text, one for each shell."""
    variable = f"_{name}_COMPLETE".replace("-", "_").upper()
    for shell, place in _PLACES.items():
        made = get_completion_class(shell)
        if made is None:
            raise AssertionError(f"click completes no {shell} any more")
        yield place.format(name), made(command, {}, name, variable).source()


def _roff(text: str) -> str:
    """Help as a man page has it: click's marked paragraphs stand as they are, and nothing is taken for a request."""
    paragraphs = []
    for paragraph in text.replace("\\", "\\e").replace("-", "\\-").split("\n\n"):
        lines = [f"\\&{line}" if line.startswith((".", "'")) else line for line in paragraph.split("\n")]
        if lines[0] == "\b":
            lines = [".nf", *("" if line == "\b" else line for line in lines[1:]), ".fi"]
        paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs)


def main() -> None:
    """Writes all for each NAME=MODULE:COMMAND on the command line."""
    share = Path(sys.argv[1])
    for given in sys.argv[2:]:
        name, _, target = given.partition("=")
        module, _, attribute = target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        for place, text in (*man_pages(command, name), *completions(command, name)):
            path = share / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            click.echo(place)


if __name__ == "__main__":
    main()
