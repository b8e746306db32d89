"""How the demo's story reaches its reader: a terminal worth watching, plain lines, or only the JSON at the end."""

from __future__ import annotations

from typing import ClassVar, Protocol

import click
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn

from daemon.model.documents import Bay


class Teller(Protocol):
    """Tells steps as they happen."""

    def step(self, number: int, title: str) -> None:
        """A step of the story begins."""

    def say(self, text: str, mark: str = "·") -> None:
        """Something has happened."""

    def bay(self, bay: Bay) -> None:
        """A bay stands differently."""

    def bays_done(self) -> None:
        """Nothing more comes from the bays."""

    def end(self, title: str, lines: list[str]) -> None:
        """The story is told; these commands are worth trying."""


class Silent:
    """For --json: the document at the end says it all."""

    def step(self, number: int, title: str) -> None:
        """See Teller."""

    def say(self, text: str, mark: str = "·") -> None:
        """See Teller."""

    def bay(self, bay: Bay) -> None:
        """See Teller."""

    def bays_done(self) -> None:
        """See Teller."""

    def end(self, title: str, lines: list[str]) -> None:
        """See Teller."""


class Plain:
    """Lines of text, where there is no terminal."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def step(self, number: int, title: str) -> None:
        """See Teller."""
        click.echo(f"\n{number}. {title}")

    def say(self, text: str, mark: str = "·") -> None:
        """See Teller."""
        click.echo(f"   {mark} {text}")

    def bay(self, bay: Bay) -> None:
        """See Teller."""
        line = f"{bay.bay}: {bay.state}, {bay.clips_done} of {bay.clips_total} clips, {bay.bytes_done} bytes"
        if self._last.get(bay.bay) != line and bay.state != "empty":
            self._last[bay.bay] = line
            self.say(line)

    def bays_done(self) -> None:
        """See Teller."""

    def end(self, title: str, lines: list[str]) -> None:
        """See Teller."""
        click.echo(f"\n{title}")
        for line in lines:
            click.echo(f"  {line}")


class Terminal:
    """Colours, progress bars, a last screen."""

    _MARKS: ClassVar = {"·": "dim", "✓": "green", "✗": "red", "🔒": "yellow", "🔓": "green"}

    def __init__(self) -> None:
        self._console = Console()
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def step(self, number: int, title: str) -> None:
        """See Teller."""
        self.bays_done()
        self._console.print()
        self._console.rule(f"[bold]{number}. {title}", align="left")

    def say(self, text: str, mark: str = "·") -> None:
        """See Teller."""
        style = self._MARKS.get(mark, "")
        console = self._progress.console if self._progress else self._console
        console.print(f"  [{style}]{mark}[/] {text}" if style else f"  {mark} {text}", highlight=False)

    def bay(self, bay: Bay) -> None:
        """See Teller."""
        if bay.state == "empty":
            return
        if self._progress is None:
            columns = (
                TextColumn("  [cyan]{task.description}"),
                BarColumn(),
                DownloadColumn(),
                TextColumn("{task.fields[state]}"),
            )
            self._progress = Progress(*columns, console=self._console)
            self._progress.start()
        if bay.bay not in self._tasks:
            self._tasks[bay.bay] = self._progress.add_task(f"{bay.bay} {bay.camera_serial or ''}", state="")
        self._progress.update(
            self._tasks[bay.bay],
            total=bay.bytes_total or None,
            completed=bay.bytes_done,
            state="safe to undock" if bay.state == "done" else bay.state,
        )

    def bays_done(self) -> None:
        """See Teller."""
        if self._progress is not None:
            self._progress.stop()
            self._progress, self._tasks = None, {}

    def end(self, title: str, lines: list[str]) -> None:
        """See Teller."""
        self.bays_done()
        self._console.print(Panel("\n".join(lines), title=title, border_style="green", highlight=True))
