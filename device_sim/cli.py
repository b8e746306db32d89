"""`bwc-sim`. Only here does the simulator set an exit code."""

from __future__ import annotations

import sys

import click

from device_sim.cli_camera import camera
from device_sim.cli_dispatch import dispatch
from device_sim.cli_shift import shift_command
from device_sim.errors import SimError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Simulates what a dock works with: cameras on mounts, a dispatch center, a whole shift.

    \b
    Exit: 0 done, 1 failed, 2 usage or configuration, 4 verification failed (an invalid receipt).
    """


cli.add_command(camera)
cli.add_command(dispatch)
cli.add_command(shift_command)


def main(arguments: list[str] | None = None) -> None:
    """Runs `bwc-sim` and exits."""
    try:
        result = cli.main(args=arguments, prog_name="bwc-sim", standalone_mode=False)
    except SimError as failed:
        _complain(str(failed), failed.hint)
        sys.exit(failed.exit_code)
    except click.ClickException as wrong:
        command = wrong.ctx.command_path if isinstance(wrong, click.UsageError) and wrong.ctx else "bwc-sim"
        _complain(wrong.format_message(), f"{command} --help")
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        _complain("interrupted", None)
        sys.exit(1)
    except OSError as failed:
        _complain(f"{failed.filename or 'input/output'}: {failed.strerror or failed}", None)
        sys.exit(1)
    sys.exit(result if isinstance(result, int) else 0)


def _complain(message: str, hint: str | None) -> None:
    """Prints an error: lowercase, no final period, the hint on its own line."""
    message = " ".join(message.split()).rstrip(".")
    click.echo(f"error: {message[:1].lower()}{message[1:]}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)


if __name__ == "__main__":
    main()
