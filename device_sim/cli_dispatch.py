"""`bwc-sim dispatch`: the dispatch center sends its documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import click

from device_sim.dispatch import center, incidents
from device_sim.dispatch.out import Login, outlet
from device_sim.errors import usage

_FILE = click.Path(path_type=Path)
_Command = TypeVar("_Command", bound=Callable[..., Any])


def broker_options(command: _Command) -> _Command:
    """Adds the options for the target of documents, and for logging in there."""
    for option in (
        click.option("--tls-key", type=_FILE, help="the client certificate's key"),
        click.option("--cert", type=_FILE, help="client certificate, for mqtts"),
        click.option("--ca", type=_FILE, help="the broker's certificate authority, for mqtts"),
        click.option("--password-file", type=_FILE),
        click.option("--username"),
        click.option("--agency", default="portland", show_default=True),
    ):
        command = option(command)
    return command


def login(options: dict[str, Any]) -> Login:
    """The login for the broker, from a command's options."""
    names = ("username", "password_file", "ca", "cert", "tls_key")
    return Login(**{name: options[name] for name in names})


@click.command()
@click.option("--to", "target", required=True, metavar="FOLDER|URL", help="a folder, mqtt://host:port or mqtts://…")
@click.option("--incidents", "count", type=click.IntRange(0), default=20, show_default=True)
@click.option("--officers", type=click.IntRange(1), help="how many are on patrol [default: 3 for 10 incidents]")
@click.option("--hours", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True)
@click.option("--date", "day", default="2023-08-21", show_default=True, help="the shift begins that day at 16:00")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--from", "source", type=_FILE, help="send these incidents instead of made-up ones")
@click.option("--steps", is_flag=True, help="with --from: a snapshot at every change, not one with the history")
@broker_options
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def dispatch(**options: Any) -> None:
    """Send NENA EIDO documents about a shift of incidents: on time, late, twice, merged, split, never cleared.

    \b
    Example:
      bwc-sim dispatch --incidents 40 --seed 7 --to cad/
      bwc-sim dispatch --from incidents.json --steps --to mqtt://127.0.0.1:1883
    """
    documents = _documents(options)
    with outlet(options["target"], options["agency"], login(options)) as out:
        places = [out.send(document) for document in documents]
        out.settle()
    named = list(dict.fromkeys(document.incident_id for document in documents))
    if options["as_json"]:
        report = {"to": options["target"], "agency": options["agency"], "incidents": named}
        click.echo(json.dumps({**report, "documents": len(documents), "places": list(dict.fromkeys(places))}, indent=2))
    else:
        click.echo(f"sent {len(documents)} documents about {len(named)} incidents to {options['target']}")


def _documents(options: dict[str, Any]) -> list[center.Delivery]:
    if options["source"] is not None:
        return center.explicit(incidents.load(options["source"]), options["agency"], steps=options["steps"])
    if options["steps"]:
        raise usage("--steps goes with --from", "made-up incidents are always sent step by step")
    try:
        day = date.fromisoformat(options["day"])
    except ValueError as bad:
        raise usage(f"cannot read --date {options['day']!r}", "like 2023-08-21") from bad
    made_up = center.shift(options["count"], options["seed"], day, options["officers"], options["hours"])
    return center.deliveries(made_up, options["seed"], options["agency"])
