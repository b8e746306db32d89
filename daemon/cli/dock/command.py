"""`bwc dock`: the daemon, its state, and sealing single files by hand."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from daemon.cli.dock.status import status
from daemon.cli.shared.options import DOCK_CONFIG, JSON, STORE, run_until_signalled
from daemon.cli.shared.output import print_json, start_logging
from daemon.model.config import DockConfig, load_config
from daemon.model.errors import ConfigurationError, TamperedError

_TELL_EVERY = 1000


@click.group()
def dock() -> None:
    """The dock: takes clips in, keeps them locked, carries out release orders."""


@dock.command()
@DOCK_CONFIG
def run(config_path: Path) -> None:
    """Run the dock until it is told to stop.

    SIGHUP (systemctl reload bwc-dock) reads the trust, the log's level, and the broker's certificates again.

    \b
    Example:  bwc dock run --config config/dock.toml
    """
    from daemon.dock.service import DockService
    from daemon.model.clock import SystemClock
    from daemon.seal.core_dumps import forget_in_core_dumps

    config = load_config(DockConfig, config_path)
    start_logging(config.log)
    forget_in_core_dumps()
    run_until_signalled(DockService(config, SystemClock(), lambda: load_config(DockConfig, config_path)))


@dock.command()
@DOCK_CONFIG
@click.option("--vault", help="Check this copy of the vault instead, or the replica at this URL (s3://…/DOCK).")
@STORE
@click.option("--clip", "clips", multiple=True, help="Only this clip; may be repeated.")
@click.option("--read-data/--no-read-data", default=True, show_default=True, help="Hash every sealed file.")
@JSON
def check(
    config_path: Path, vault: str | None, store: Path | None, clips: tuple[str, ...], read_data: bool, as_json: bool
) -> None:
    """Check a vault and the dock's own custody log: every signature, every entry, every sealed byte.

    Exit 4, naming what does not hold. A running dock does the same slowly, by itself (see: bwc dock status).

    Reads only, needs no private key, and may run beside the dock or on a copy. What was evicted from the vault is read
    from object storage, with --no-read-data only asked for there.

    \b
    Example:  bwc dock check --config config/dock.toml
              bwc dock check --vault s3://evidence/central-1 --store store.toml
    """
    from contextlib import ExitStack
    from datetime import UTC, datetime

    from daemon.cli.shared.vault_options import is_url, replica_at
    from daemon.custody.log import open_read_only
    from daemon.custody.vault_check import VaultCheck, VaultCheckOptions, check_store
    from daemon.dock.opening import open_replica
    from daemon.seal.keys import load_sign_public
    from daemon.seal.trust import load_trust
    from daemon.vault.layout import VaultLayout

    config = load_config(DockConfig, config_path)
    trust = load_trust(config.trust.file, load_sign_public(config.trust.root))
    checked: list[str] = []
    where, now = vault or str(config.vault), datetime.now(UTC)
    with ExitStack() as stack:
        if is_url(where):
            replica = stack.enter_context(replica_at(where, store))
            looked_at = VaultCheckOptions(
                replica.mirror(), config.agency, trust, now, read_data, replica.objects, sealed_elsewhere=True
            )
        else:
            if not Path(where).is_dir():
                raise ConfigurationError(f"{where}: no such directory")
            looked_at = VaultCheckOptions(
                VaultLayout(Path(where)), config.agency, trust, now, read_data, open_replica(config)
            )
        findings = list(VaultCheck(looked_at).run(set(clips) or None, checked.append))
    database = config.state / "dock.sqlite"
    if vault is None and not clips and database.exists():
        with open_read_only(database, f"bwc/{config.agency}/{config.dock_id}", config.dock_id) as stored:
            findings += check_store(stored, str(database))
    if as_json:
        print_json({"checked": len(checked), "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            click.echo(f"{finding.path}: {finding.problem}", err=True)
        click.echo(f"{len(checked)} clips checked, {len(findings)} findings")
    if findings:
        raise TamperedError(f"{where}: {len(findings)} findings; {findings[0].path}: {findings[0].problem}")


dock.add_command(status)


@dock.command()
@DOCK_CONFIG
@click.option("--read-data/--no-read-data", default=True, show_default=True, help="Hash every sealed file first.")
@JSON
def rebuild(config_path: Path, read_data: bool, as_json: bool) -> None:
    """Make a lost database anew from the vault, with the dock stopped.

    The vault is checked whole first, and in object storage what was evicted to there. Every release counts as ended
    (people ask again), everything is announced anew.

    \b
    Example:  systemctl stop bwc-dock; bwc dock rebuild; systemctl start bwc-dock
    """
    from daemon.dock.rebuild import rebuild as rebuild_store
    from daemon.model.clock import SystemClock

    config = load_config(DockConfig, config_path)
    checked: list[str] = []

    def progress(clip_id: str) -> None:
        checked.append(clip_id)
        if len(checked) % _TELL_EVERY == 0:
            click.echo(f"{len(checked)} clips checked", err=True)

    rebuilt = rebuild_store(config, SystemClock(), read_data, progress)
    if as_json:
        print_json(asdict(rebuilt))
    else:
        click.echo(f"{config.state / 'dock.sqlite'}: {rebuilt.clips} clips, {rebuilt.entries} custody entries")


@dock.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--escrow", type=click.Path(path_type=Path), required=True, multiple=True, help="A recipient's PUB.pem.")
@click.option("--clip-id", required=True, help="The clip's UUID.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Directory for clip.sealed.")
@click.option("--dock-id", default="offline", show_default=True, help="The dock the wrap is bound to.")
@JSON
def seal(file: Path, escrow: tuple[Path, ...], clip_id: str, out: Path, dock_id: str, as_json: bool) -> None:
    """Seal one file offline, through the daemon's own pipeline.

    Writes clip.sealed and wrapped_keys.json into OUT. `seconds` counts until the sealed file is durable.

    \b
    Example:  bwc dock seal a.mp4 --escrow policy.open.pub.pem --clip-id $(uuidgen) --out sealed/
    """
    from daemon.dock.camera.single_file import seal_file

    result = seal_file(file, list(escrow), clip_id, out, dock_id)
    _report(result, as_json)


@dock.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), required=True, help="A recipient's private .open.pem.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to write.")
@JSON
def unseal(folder: Path, key: Path, out: Path, as_json: bool) -> None:
    """Open what `seal` made, with a recipient's private key.

    \b
    Example:  bwc dock unseal sealed/ --key recovery.open.pem --out a.mp4
    """
    from daemon.dock.camera.single_file import unseal_file

    _report(unseal_file(folder, key, out), as_json)


def _report(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        for name, value in result.items():
            click.echo(f"{name:18} {value}")
