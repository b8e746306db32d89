"""`bwc`: the command's root, and how errors become messages and exit codes."""

from __future__ import annotations

import importlib
import sys

import click

from daemon import __version__
from daemon.model.errors import BwcError

_GROUPS = {
    "ask": "daemon.cli.ask.command:ask",
    "attest": "daemon.cli.attest.command:attest",
    "board": "daemon.cli.board:board",
    "custody": "daemon.cli.custody:custody",
    "demo": "daemon.cli.demo.command:demo",
    "dispatch": "daemon.cli.dispatch.command:dispatch",
    "dock": "daemon.cli.dock.command:dock",
    "fleet": "daemon.cli.fleet:fleet",
    "keys": "daemon.cli.keys:keys",
    "policy": "daemon.cli.policy.command:policy",
    "review": "daemon.cli.review:review",
    "setup": "daemon.cli.setup.command:setup",
    "trust": "daemon.cli.trust:trust",
}
"""Where each command lives. Imported when it is called: a short command should not pay for the long ones."""


class _Root(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_GROUPS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = _GROUPS.get(cmd_name)
        if target is None:
            return None
        module, _, name = target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.command(cls=_Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="bwc")
def bwc() -> None:
    """Body-worn camera footage: locked when docked, released by policy, open to audit.

    \b
    Try it on this machine:   bwc demo
    Run a dock:               bwc dock run --config dock.toml
    Ask for a clip:           bwc review request --help

    Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 locked, 4 verification failed.
    """


def main() -> None:
    """Entry point of the `bwc` script."""
    try:
        bwc.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.ClickException as error:
        _print_error(_lowered(error.format_message()), _usage_hint(error))
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        _print_error("interrupted", None)
        sys.exit(1)
    except BwcError as error:
        _print_error(str(error), error.hint)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output went away; there is nobody to tell
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _print_error(f"{where}{_lowered(error.strerror or str(error))}", None)
        sys.exit(1)


def _print_error(message: str, hint: str | None) -> None:
    click.echo(f"bwc: {message}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)


def _usage_hint(error: click.ClickException) -> str | None:
    context = getattr(error, "ctx", None)
    return f"{context.command_path} --help" if context is not None else None


def _lowered(message: str) -> str:
    return (message[:1].lower() + message[1:]).rstrip(".")


if __name__ == "__main__":
    main()
