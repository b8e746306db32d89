"""Man pages and completion are made from the commands: one page each, with its options, safe for troff."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from daemon.cli import manual
from tests.cli.commands import EVERY


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("share")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["manual", str(folder), "bwc=daemon.cli.main:bwc", "bwc-sim=device_sim.cli:cli"])
        manual.main()
    return folder


@pytest.mark.parametrize("words", EVERY)
def test_a_page_for_each_command_names_all_its_options(share: Path, words: str) -> None:
    text = (share / "man" / "man1" / f"{words.replace(' ', '-')}.1").read_text()
    for option in EVERY[words].params:
        if isinstance(option, click.Option):
            assert option.opts[0].replace("-", "\\-") in text
    assert "\b" not in text


def test_examples_stand_as_they_are_and_nothing_is_a_request() -> None:
    page = manual.man_pages(click.Command("x", help="A.\n\n\b\nExample:\n  x \\\n.so /etc/passwd\n\b\n'more"), "x")
    [(place, text)] = page
    assert place == "man/man1/x.1"
    assert ".nf\nExample:\n  x \\e\n\\&.so /etc/passwd\n.PP\n\\&'more\n.fi" in text


@pytest.mark.parametrize(
    "place", ["bash-completion/completions/{}", "zsh/site-functions/_{}", "fish/vendor_completions.d/{}.fish"]
)
def test_completion_is_for_that_command(share: Path, place: str) -> None:
    for name, variable in (("bwc", "_BWC_COMPLETE"), ("bwc-sim", "_BWC_SIM_COMPLETE")):
        assert variable in (share / place.format(name)).read_text()
