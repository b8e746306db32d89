"""The `bwc demo` command itself."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import click

from daemon.cli.demo import world as worlds
from daemon.cli.demo.stage import Stage, free_port
from daemon.cli.demo.steps import Story
from daemon.cli.demo.teller import Plain, Silent, Teller, Terminal
from daemon.cli.shared.output import print_json
from daemon.model.errors import ConfigurationError


@click.command()
@click.option("--keep", type=click.Path(path_type=Path), help="Leave the whole world in this (new or empty) directory.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the story.")
def demo(keep: Path | None, as_json: bool) -> None:
    """The whole story on this machine, in under a minute: dock, lock, refuse, release, open, tamper.

    \b
    Example:  bwc demo --keep /tmp/bwc-world
    """
    for module, extra in (("iotcore", "demo"), ("av", "sim")):
        if importlib.util.find_spec(module) is None:
            raise ConfigurationError(f"the demo needs {module}", hint=f"pip install 'bwc-dock[{extra}]'")
    if keep is not None and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise ConfigurationError(f"{keep}: not an empty directory", hint="give a new directory; nothing is overwritten")
    root = keep or Path(tempfile.mkdtemp(prefix="bwc-demo-"))
    root.mkdir(parents=True, exist_ok=True)
    teller: Teller = Silent() if as_json else Terminal() if sys.stdout.isatty() else Plain()
    try:
        document = _tell(root.resolve(), teller, kept=keep is not None)
    finally:
        if keep is None:
            shutil.rmtree(root, ignore_errors=True)
    if as_json:
        print_json(document)
    else:
        click.echo(
            f"\ndone in {document['seconds']} s" + (f"; everything is in {root}" if keep else "; all cleaned up")
        )


def _tell(root: Path, teller: Teller, *, kept: bool) -> dict[str, object]:
    started = time.monotonic()
    world = worlds.make(root, free_port())
    with Stage(world) as stage:
        story = Story(world, stage, teller, kept=kept)
        story.tell()
    document: dict[str, object] = {
        "steps": story.steps,
        "outcome": "done",
        "seconds": round(time.monotonic() - started, 1),
    }
    (root / "story.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return document
