"""`bwc custody`: reading the log, proving an entry, verifying an export on a machine that never saw the dock."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from daemon.cli.shared.options import DOCK_CONFIG, JSON
from daemon.cli.shared.output import print_json
from daemon.cli.witness import witness
from daemon.custody.bundle import verify_bundle, write_bundle
from daemon.custody.log import CustodyLog, open_read_only
from daemon.custody.verify import leaves_text, verify_export, verify_proof
from daemon.model.config import DockConfig, PolicyConfig, load_config
from daemon.model.errors import BwcError, ConfigurationError
from daemon.seal.keys import load_sign_public
from daemon.seal.note import Checkpoint, verify_checkpoint, verify_cosignature
from daemon.seal.private_keys import load_sign_key
from daemon.vault import durable
from daemon.vault.reading import find_clip, read_document


@click.group()
def custody() -> None:
    """The tamper-evident log of everything that happened to every clip.

    A dock's log by its dock.toml; the policy service's own by its policy.toml.
    """


@custody.command()
@DOCK_CONFIG
@click.option("--clip", help="Only this clip's entries.")
@click.option("--last", default=0, help="Only the last N entries.")
def log(config_path: Path, clip: str | None, last: int) -> None:
    """Print the log's lines, as they are hashed.

    \b
    Example:  bwc custody log --config dock.toml --last 20
    """
    with _open(config_path) as (dock_log, _):
        if clip:
            lines: Iterator[bytes] = (line for _, line in dock_log.of_clip(clip))
        else:
            lines = dock_log.lines(max(0, dock_log.size - last) if last else 0)
        for line in lines:
            click.echo(line)


@custody.command()
@DOCK_CONFIG
@click.argument("sequence", type=int)
def show(config_path: Path, sequence: int) -> None:
    """Print one entry, readably.

    \b
    Example:  bwc custody show 17 --config dock.toml
    """
    with _open(config_path) as (dock_log, _):
        print_json(json.loads(_line(dock_log, sequence)))


@custody.command()
@DOCK_CONFIG
@click.argument("sequence", type=int)
@click.option("--since", type=int, help="Instead, prove that the log of this many entries is its beginning.")
def prove(config_path: Path, sequence: int, since: int | None) -> None:
    """Prove that entry SEQUENCE stands in the log (RFC 6962 inclusion proof), with the checkpoint it leads to.

    With --since N: a consistency proof from the log of N entries to that of SEQUENCE entries.

    \b
    Example:  bwc custody prove 17 --config dock.toml
    """
    with _open(config_path) as (dock_log, config):
        key = load_sign_key(config.sign_key)
        try:
            if since is None:
                proof, size, line = dock_log.inclusion(sequence), dock_log.size, _line(dock_log, sequence)
            else:
                proof, size, line = dock_log.consistency(since, sequence), sequence, b""
        except ValueError as error:
            raise BwcError(str(error)) from None
        document = {
            "sequence": sequence,
            "size": size,
            "line": line.decode(),
            "proof": [base64.b64encode(node).decode() for node in proof],
            "checkpoint": dock_log.checkpoint(key, size),
        }
        print_json(document)


@custody.command()
@DOCK_CONFIG
@click.option("--clip", help="Instead, an auditor's bundle about this clip: --out is the ZIP file to write.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Directory for the exported files.")
@JSON
def export(config_path: Path, clip: str | None, out: Path, as_json: bool) -> None:
    """Export the log: custody.jsonl, the checkpoint.txt that covers exactly it, and custody.leaves.

    With --clip: one clip's statements, orders, proofs, checkpoint and public keys, to be verified anywhere.

    \b
    Example:  bwc custody export --config dock.toml --clip 0b5f… --out clip.bundle.zip
    """
    if clip is not None:
        names = _export_bundle(load_config(DockConfig, config_path), clip, out)
        if as_json:
            print_json({"bundle": str(out), "files": names})
        else:
            click.echo(f"{out}: {len(names)} files")
        return
    with _open(config_path) as (dock_log, config):
        key = load_sign_key(config.sign_key)
        size = dock_log.size
        out.mkdir(parents=True, exist_ok=True)
        files = {
            "custody.jsonl": b"".join(line + b"\n" for line in dock_log.lines(0, size)),
            "custody.leaves": "".join(leaves_text(dock_log.lines(0, size))).encode(),
            "checkpoint.txt": dock_log.checkpoint(key, size).encode(),
        }
    for name, data in files.items():
        durable.write_replacing(out / name, data)
    if as_json:
        print_json({"entries": size, "files": [str(out / name) for name in files]})
    else:
        click.echo(f"{out}: {size} entries")


@custody.command()
@click.argument("lines", type=click.Path(path_type=Path))
@click.option("--checkpoint", type=click.Path(path_type=Path), help="The signed checkpoint [default: beside LINES].")
@click.option("--key", type=click.Path(path_type=Path), help="A log: its public key (.sign.pub.pem).")
@click.option("--root", type=click.Path(path_type=Path), help="A bundle: the agency's root.sign.pub.pem.")
@click.option("--witnessed", type=click.Path(path_type=Path), help="An earlier checkpoint that the log must extend.")
@click.option("--witness-key", type=click.Path(path_type=Path), help="Who must have cosigned it (.sign.pub.pem).")
@click.option("--witness-name", help="Under which name.")
@JSON
def verify(
    lines: Path,
    checkpoint: Path | None,
    key: Path | None,
    root: Path | None,
    witnessed: Path | None,
    witness_key: Path | None,
    witness_name: str | None,
    as_json: bool,
) -> None:
    """Verify an exported log, a proof or a bundle, offline. Exit 4, naming what was changed, when it does not hold.

    With --witnessed: also that the log extends a checkpoint that a witness (or anybody) kept.

    \b
    Example:  bwc custody verify custody.jsonl --key dock-1.sign.pub.pem
              bwc custody verify custody.jsonl --key dock-1.sign.pub.pem --witnessed dock-1/checkpoint.txt
              bwc custody verify proof.json --key dock-1.sign.pub.pem      # from: bwc custody prove
              bwc custody verify clip.bundle.zip --root root.sign.pub.pem
    """
    if zipfile.is_zipfile(lines) or lines.suffix == ".zip":
        _verify_bundle(lines, root, as_json)
        return
    if key is None:
        raise click.UsageError("a log or a proof is verified with --key")
    log_key = load_sign_public(key)
    earlier = _witnessed(witnessed, log_key, witness_key, witness_name) if witnessed else None
    if lines.suffix == ".json":
        found = verify_proof(lines, log_key, earlier)
    else:
        note = _note(checkpoint or lines.with_name("checkpoint.txt"))
        leaves = lines.with_name("custody.leaves")
        found = verify_export(lines, note, log_key, leaves if leaves.exists() else None, earlier)
    if as_json:
        print_json({"origin": found.origin, "entries": found.size, "root": base64.b64encode(found.root).decode()})
    else:
        held = "the proof holds in the log of" if lines.suffix == ".json" else "all"
        click.echo(f"{lines}: {held} {found.size} entries of {found.origin}{'' if held != 'all' else ' hold'}")


def _note(path: Path) -> str:
    try:
        return read_document(path).decode("utf-8")
    except (BwcError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read ({error})") from None


def _witnessed(path: Path, log_key: Ed25519PublicKey, witness_key: Path | None, name: str | None) -> Checkpoint:
    """The earlier checkpoint, signed by the log and, where a witness is named, cosigned by it."""
    if (witness_key is None) != (name is None):
        raise click.UsageError("--witness-key and --witness-name go together")
    note = _note(path)
    if witness_key is not None and name is not None:
        verify_cosignature(note, name, load_sign_public(witness_key), what=str(path))
    return verify_checkpoint(note, log_key, what=str(path))


custody.add_command(witness)


def _export_bundle(config: DockConfig, clip_id: str, out: Path) -> list[str]:
    root = load_sign_public(config.trust.root)
    trust = read_document(config.trust.file)
    return write_bundle(find_clip(config.vault, clip_id), config.agency, trust, root, out)


def _verify_bundle(path: Path, root: Path | None, as_json: bool) -> None:
    found = verify_bundle(path, load_sign_public(root) if root else None)
    seal = found.evidence.seal.statement
    if as_json:
        report = {"clip_id": found.clip_id, "agency": found.agency, "root_keyid": found.root_keyid}
        report |= {"clip_sha256": seal.clip_sha256, "sealed_sha256": seal.sealed_sha256}
        print_json(report | {"entries": len(found.evidence.custody.entries), "root_was_given": found.root_was_given})
        return
    click.echo(f"{path}: everything about clip {found.clip_id} holds; footage SHA-256 {seal.clip_sha256}")
    if not found.root_was_given:
        click.echo(f"it rests on root key {found.root_keyid}: compare with the agency's, or give --root")


@contextmanager
def _open(config_path: Path) -> Iterator[tuple[CustodyLog, DockConfig | PolicyConfig]]:
    """The log of the service that this configuration is of."""
    config = _either(config_path)
    actor = config.dock_id if isinstance(config, DockConfig) else "policy"
    origin = f"bwc/{config.agency}/{actor}"
    if isinstance(config, DockConfig):
        opened = open_read_only(config.state / "dock.sqlite", origin, actor)
    else:
        from daemon.policy.store.store import read_log  # a dock's commands do without it

        opened = read_log(config, origin, actor)
    with opened as log:
        yield log, config


def _either(path: Path) -> DockConfig | PolicyConfig:
    try:
        return load_config(DockConfig, path)
    except ConfigurationError:
        try:
            return load_config(PolicyConfig, path)
        except ConfigurationError:
            pass
        raise  # what is wrong with it as a dock's, its more common use


def _line(dock_log: CustodyLog, sequence: int) -> bytes:
    line = dock_log.line(sequence)
    if line is None:
        raise BwcError(f"the log has {dock_log.size} entries; there is no entry {sequence}")
    return line
