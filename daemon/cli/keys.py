"""`bwc keys`: making key pairs, and showing whose they are."""

from __future__ import annotations

from pathlib import Path

import click

from daemon.cli.shared.options import JSON
from daemon.cli.shared.output import print_json
from daemon.model.errors import ConfigurationError
from daemon.model.types import check_id
from daemon.seal.keys import PublicKey, keyid, load_open_public, load_sign_public
from daemon.seal.private_keys import new_pair


@click.group()
def keys() -> None:
    """Key pairs: <owner>.sign.pem signs, <owner>.open.pem opens what is released to it."""


@keys.command()
@click.argument("owner")
@click.option("--out", type=click.Path(path_type=Path), default=Path(), help="Directory for the four files.")
def new(owner: str, out: Path) -> None:
    """Make both key pairs of OWNER (a person, dock or camera id; never overwrites).

    \b
    Example:  bwc keys new 51234 --out keys/
    """
    try:
        check_id(owner)
    except ValueError as error:
        raise ConfigurationError(f"owner {owner!r}: {error}") from None
    for path in new_pair(out, owner):
        click.echo(path)


@keys.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@JSON
def show(files: tuple[Path, ...], as_json: bool) -> None:
    """Show the keyid and use of public keys (.pub.pem).

    \b
    Example:  bwc keys show keys/*.pub.pem
    """
    found = []
    for path in files:
        key = _load(path)
        found.append({"file": str(path), "keyid": keyid(key), "use": "open" if hasattr(key, "curve") else "sign"})
    if as_json:
        print_json(found)
    else:
        for entry in found:
            click.echo(f"{entry['keyid']}  {entry['use']:4}  {entry['file']}")


def _load(path: Path) -> PublicKey:
    try:
        return load_sign_public(path)
    except ConfigurationError as error:
        if "expected an Ed25519" not in str(error):
            raise
        return load_open_public(path)
