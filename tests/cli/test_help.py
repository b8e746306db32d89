"""Every command's help ends with an example, and every example is one that works: its command and options exist."""

from __future__ import annotations

import re
import shlex

import click
import pytest

from tests.cli.commands import EVERY, LEAVES


def examples(command: click.Command) -> list[list[str]]:
    """The command lines after the word Example, as words."""
    _, _, text = (command.help or "").partition("Example:")
    text = re.sub(r"\\\n", " ", text.split("\b")[0])
    starts = [found.start() for found in re.finditer(r"\bbwc(-sim)? [a-z]", text)]
    return [
        shlex.split(text[start:end], comments=True) for start, end in zip(starts, [*starts[1:], len(text)], strict=True)
    ]


@pytest.mark.parametrize("words", LEAVES)
def test_every_command_shows_an_example_that_works(words: str) -> None:
    mine = [line for line in examples(LEAVES[words]) if " ".join(line).startswith(words)]
    assert mine, f"{words} --help shows no example of itself"
    for line in mine:
        known = {name for option in LEAVES[words].params for name in (*option.opts, *option.secondary_opts)}
        used = {word.partition("=")[0] for word in line if word.startswith("--")}
        assert used <= known, f"{words} has no {used - known}"


@pytest.mark.parametrize("words", EVERY)
def test_every_command_says_what_it_does(words: str) -> None:
    command = EVERY[words]
    assert command.help and command.get_short_help_str()
