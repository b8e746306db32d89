"""`bwc trust`: the agency says who is enrolled, and anyone checks it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from daemon.cli.shared.options import JSON
from daemon.cli.shared.output import print_json
from daemon.model.errors import ConfigurationError, VerificationError
from daemon.model.parse import explain
from daemon.model.statements import TrustStatement as TrustStatement
from daemon.seal import envelope as envelopes
from daemon.seal.keys import load_sign_public
from daemon.seal.private_keys import load_sign_key
from daemon.seal.trust import Trust, parse_trust
from daemon.vault import durable

_ROOT = click.option("--root", type=click.Path(path_type=Path), required=True, help="The agency's root.sign.pub.pem.")


@click.group()
def trust() -> None:
    """Who is enrolled: cameras, docks, the policy service, people and their roles."""


@trust.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), required=True, help="The root's private root.sign.pem.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The attestation to write.")
def sign(file: Path, key: Path, out: Path) -> None:
    """Sign an agency's trust.toml. A key is given as PEM text or as a path relative to the file.

    \b
    Example:  bwc trust sign config/trust.toml --key root.sign.pem --out config/trust.json
    """
    envelope = envelopes.sign(build(file), load_sign_key(key))
    durable.write_replacing(out, envelope.to_bytes() + b"\n")
    click.echo(f"{out}: trust version {envelope.statement(TrustStatement).version}, digest {envelope.digest}")


@trust.command()
@click.argument("file", type=click.Path(path_type=Path))
@_ROOT
@JSON
def show(file: Path, root: Path, as_json: bool) -> None:
    """Show who is enrolled in a signed trust attestation.

    \b
    Example:  bwc trust show trust.json --root root.sign.pub.pem
    """
    loaded = _load(file, root)
    if as_json:
        print_json(loaded.statement.plain())
        return
    statement = loaded.statement
    click.echo(f"version {statement.version}, digest {loaded.digest}")
    click.echo(f"docks: {', '.join(sorted(statement.docks)) or 'none'}")
    click.echo(f"cameras: {', '.join(sorted(statement.cameras)) or 'none'}")
    for person_id, person in sorted(statement.people.items()):
        click.echo(f"{person_id:16} {', '.join(person.roles):40} {person.name}")
    for revoked in statement.revoked:
        click.echo(f"revoked {revoked.keyid} from {revoked.from_.isoformat()}")


@trust.command()
@click.argument("file", type=click.Path(path_type=Path))
@_ROOT
def check(file: Path, root: Path) -> None:
    """Check a trust attestation: its signature, its form, and that no key has two owners. Exit 4 when it fails.

    \b
    Example:  bwc trust check trust.json --root root.sign.pub.pem
    """
    loaded = _load(file, root)
    click.echo(f"{file}: good; version {loaded.version}, digest {loaded.digest}")


def build(file: Path) -> TrustStatement:
    """The trust statement in a TOML file. Raises ConfigurationError naming the file and every bad field."""
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file}: {(error.strerror or 'cannot be read').lower()}") from None
    except ValueError as error:
        raise ConfigurationError(f"{file}: not valid TOML ({error})") from None
    try:
        statement = TrustStatement.model_validate(_with_keys(data, file.parent))
        Trust(statement, "")
    except ValidationError as error:
        raise ConfigurationError(f"{file}: {explain(error)}") from None
    except VerificationError as error:
        raise ConfigurationError(f"{file}: {error}") from None
    return statement


def _with_keys(value: Any, base: Path) -> Any:
    """Replaces every path to a public key by the key."""
    if isinstance(value, dict):
        return {name: _with_keys(inner, base) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_keys(inner, base) for inner in value]
    if isinstance(value, str) and value.endswith(".pub.pem"):
        try:
            return (base / value).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{base / value}: cannot be read ({error})") from None
    return value


def _load(file: Path, root: Path) -> Trust:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file}: {(error.strerror or 'cannot be read').lower()}") from None
    return parse_trust(data, load_sign_public(root), what=str(file))
