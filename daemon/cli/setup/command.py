"""`bwc setup`: the guided run, and its parts `check` and `broker`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from daemon.cli.setup import check as checks
from daemon.cli.setup import files as setup_files
from daemon.cli.setup.answers import Answers, ask, complete, from_file, parse_person
from daemon.cli.setup.broker import broker
from daemon.cli.setup.files import Files, Places
from daemon.cli.shared.options import JSON
from daemon.cli.shared.output import print_json
from daemon.model.errors import ConfigurationError

_PATH = click.Path(path_type=Path)
_TO = click.option("--to", type=_PATH, default=Path("/etc/bwc"), show_default=True, help="What the services read.")
_SECONDS = click.option("--seconds", type=float, default=10.0, show_default=True, help="How long the broker may take.")
_NEXT = """
next:
  1. {offline}: the root key signs who is enrolled. move it to a medium in a safe, and keep a copy of it
  2. {secrets}/people, {secrets}/cameras: hand each owner their keys, then remove them here{policy}
  3. the broker's machine, where Mosquitto is: copy {secrets}/broker/broker there (bwc setup broker --help)
  4. systemctl enable --now bwc-dock{here} bwc-board
  5. bwc setup check --to {to}
"""
_POLICY_ELSEWHERE = "\n     {secrets}/policy: becomes /etc/bwc on the policy service's machine, then remove it here"


@click.group(invoke_without_command=True)
@_TO
@click.option("--answers", "answers_file", type=_PATH, help="A TOML file with any of the answers.")
@click.option("--agency", help="The agency's short name, as it stands in MQTT topics.")
@click.option("--dock", help="This dock's name.")
@click.option("--broker", "address", help="The broker: host, host:port, or mqtts://host:port.")
@click.option("--policy-here/--policy-elsewhere", default=None, help="Where the policy service runs. [here]")
@click.option("--person", "people", multiple=True, metavar="ID:ROLE[,ROLE]:NAME", help="Somebody to enrol (repeat).")
@click.option("--camera", "cameras", multiple=True, metavar="SERIAL", help="A camera to enrol (repeat).")
@click.option("--root-key", type=_PATH, help="The agency's root.sign.pem, once it is kept elsewhere.")
@click.option("--mounts", help="Where cameras are mounted. [as in the example]")
@click.option("--vault", help="Where sealed clips lie. [as in the example]")
@click.option("--state", help="Where the services keep their databases. [as in the example]")
@click.option("--ask/--no-ask", "asking", default=None, help="Ask for what is missing. [in a terminal]")
@_SECONDS
@click.pass_context
def setup(context: click.Context, /, **given: Any) -> None:
    """Set up a dock, and the policy service, on this machine: keys, trust, certificates, configuration.

    Asks for what no option and no answers file says. Run it again at any time: it keeps what is there, adds people and
    cameras newly named, and ends with what is still missing.

    \b
    Examples:
      bwc setup
      bwc setup --agency portland --dock central-1 --broker broker.example
          --person "51234:officer:Officer Lee" --camera cam-0001
      bwc setup --person "41001:supervisor:Sergeant Reyes" --root-key /media/safe/root.sign.pem
    """
    if context.invoked_subcommand is None:
        _guide(**given)


def _guide(
    to: Path,
    answers_file: Path | None,
    agency: str | None,
    dock: str | None,
    address: str | None,
    policy_here: bool | None,
    people: tuple[str, ...],
    cameras: tuple[str, ...],
    root_key: Path | None,
    asking: bool | None,
    seconds: float,
    **where: str | None,
) -> None:
    to = to.resolve()
    places = Places(to, root_key or to / "secrets" / "offline" / "root.sign.pem", **where)
    answers = Answers(agency, dock, address, policy_here, cameras, dict(parse_person(person) for person in people))
    if answers_file is not None:
        answers = answers.over(from_file(answers_file))
    answers = answers.over(setup_files.configured(places))
    if sys.stdin.isatty() if asking is None else asking:
        answers = ask(answers, setup_files.enrolled(to))
    answers = complete(answers)
    _make(Files(places, answers, lambda what: click.echo(f"      {what}")))
    click.echo("[5/5] checks")
    _tell(list(checks.check(to, list(setup_files.services(to)), seconds)))
    secrets, here = places.secrets, bool(answers.policy_here)
    policy = "" if here else _POLICY_ELSEWHERE.format(secrets=secrets)
    also = " bwc-policy" if here else ""
    offline = places.root_key.parent
    click.echo(_NEXT.format(offline=offline, secrets=secrets, policy=policy, here=also, to=to), nl=False)


def _make(files: Files) -> None:
    files.refuse_early()
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("keys", files.make_keys),
        ("who is enrolled, signed", files.enrol),
        ("the broker's certificates and access list", files.make_broker),
        ("configuration", files.configure),
    )
    for number, (what, step) in enumerate(steps, 1):
        click.echo(f"[{number}/5] {what}")
        step()


def _tell(found: list[checks.CheckResult]) -> None:
    for one in found:
        click.echo(f"  {one.state:8}{one.what:15}{one.words}")
        if one.hint:
            click.echo(f"{'':25}{one.hint}")
    missing = sum(one.state == "missing" for one in found)
    click.echo(f"{missing} missing" if missing else "nothing is missing")


@setup.command()
@_TO
@_SECONDS
@JSON
def check(to: Path, seconds: float, as_json: bool) -> None:
    """Check an installation: configuration, keys against the trust, mounts, vault and space, broker, who answers.

    Changes nothing. Exit 2 when something is missing.

    \b
    Example:  bwc setup check
    """
    found = list(checks.check(to.resolve(), list(setup_files.services(to.resolve())), seconds))
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        _tell(found)
    missing = [one for one in found if one.state == "missing"]
    if missing:
        raise ConfigurationError(f"{missing[0].what}: {missing[0].words}", hint=missing[0].hint)


setup.add_command(broker)
