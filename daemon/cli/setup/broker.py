"""`bwc setup broker`: the broker's certificates and access list."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from daemon.cli.setup import broker_files
from daemon.cli.setup.broker_access import ROLES
from daemon.cli.shared.options import JSON
from daemon.cli.shared.output import print_json
from daemon.model.errors import ConfigurationError
from daemon.model.types import check_id
from daemon.seal.keys import load_sign_public
from daemon.seal.trust import load_trust

_PATH = click.Path(path_type=Path)
NEXT = """
On the broker's machine, as root:
  mkdir -p /etc/mosquitto/bwc
  cp {out}/broker/bwc.acl {out}/broker/*.pem {out}/broker/server.key /etc/mosquitto/bwc/
  chown mosquitto /etc/mosquitto/bwc/server.key && chmod 600 /etc/mosquitto/bwc/server.key
  cp -n {out}/broker/bwc.conf /etc/mosquitto/conf.d/
  systemctl restart mosquitto      (later, when only the access list changed: systemctl reload mosquitto)
To each client, over a way you trust: {out}/ca.pem and its own two files below {out}/clients/.
  a dock or the policy service: [broker] ca, certificate, key in its configuration
  a person: export BWC_CA=ca.pem BWC_CERT=<id>.pem BWC_TLS_KEY=<id>.key
Keep {out}/ca.key off the broker's machine: whoever holds it can let anybody in.
To replace a lost or expiring certificate: remove its two files, run this again, and reload the broker.
"""


def _owners(name: str, text: str) -> Callable[[Any], Any]:
    return click.option(f"--{name}", name, multiple=True, metavar="ID", help=text)


@click.command()
@click.option("--out", type=_PATH, required=True, help="Directory for everything; run again on the same one.")
@click.option("--agency", envvar="BWC_AGENCY", required=True, help="The agency's id in MQTT topics.")
@click.option("--name", "names", multiple=True, metavar="HOST", help="Host name or address of the broker (repeat).")
@click.option("--trust", type=_PATH, help="The signed trust attestation: a certificate for each dock and person in it.")
@click.option("--root", type=_PATH, help="With --trust: the agency's root.sign.pub.pem.")
@_owners("dock", "A dock.")
@_owners("person", "A person who asks for footage or attests.")
@_owners("dispatch", "A dispatch system.")
@_owners("board", "A status page.")
@_owners("witness", "An auditor who keeps checkpoints.")
@JSON
def broker(
    out: Path,
    agency: str,
    names: tuple[str, ...],
    trust: Path | None,
    root: Path | None,
    as_json: bool,
    **named: tuple[str, ...],
) -> None:
    """Make the broker's certificate authority, certificates, configuration and access list.

    One client certificate for the policy service, and one for each owner named or enrolled. Existing files are kept;
    only the access list is written anew each time, from the certificates that are there. With --trust, docks and people
    who are not enrolled (any more) are left out of it.

    \b
    Example:
      bwc setup broker --out broker-setup --agency portland --name broker.example
          --trust trust.json --root root.sign.pub.pem --dispatch cad --board dock-room
    """
    owners, enrolled = _wanted(agency, trust, root, named)
    files = broker_files.BrokerFiles(out, agency, datetime.now(UTC))
    made = files.make(names, owners)
    listed, left_out = files.write_access(enrolled)
    expiring = files.expiring()
    if as_json:
        print_json(
            {
                "written": [str(path) for path in made],
                "users": [client.user for client in listed],
                "left_out": [client.user for client in left_out],
                "expiring": {str(path): at.date().isoformat() for path, at in expiring},
            }
        )
        return
    for path in made:
        click.echo(path)
    click.echo(f"access list: {len(listed)} users")
    for client in left_out:
        click.echo(f"left out, not enrolled: {client.role} {client.id}")
    for path, at in expiring:
        click.echo(f"expires on {at.date().isoformat()}: {path}")
    click.echo(NEXT.format(out=out), nl=False)


def _wanted(
    agency: str, trust: Path | None, root: Path | None, named: dict[str, tuple[str, ...]]
) -> tuple[set[tuple[str, str]], set[tuple[str, str]] | None]:
    """Owners to make certificates for; and those enrolled, None when no trust was given."""
    owners = {("policy", "policy")} | {(role, owner) for role in ROLES for owner in named.get(role, ())}
    for what, text in (("--agency", agency), *((f"--{role}", owner) for role, owner in sorted(owners))):
        try:
            check_id(text)
        except ValueError as error:
            raise ConfigurationError(f"{what} {text!r}: {error}") from None
    if trust is None:
        return owners, None
    if root is None:
        raise click.UsageError("--trust needs --root, the agency's root.sign.pub.pem")
    statement = load_trust(trust, load_sign_public(root)).statement
    enrolled = {("dock", dock) for dock in statement.docks} | {("person", person) for person in statement.people}
    return owners | enrolled, enrolled
