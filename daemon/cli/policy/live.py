"""The `bwc policy` commands that work on a service's own store: serve, replay, disposal, and live explanations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from daemon.cli.shared.options import JSON, POLICY_CONFIG, run_until_signalled
from daemon.cli.shared.output import print_json, start_logging
from daemon.model.clock import SystemClock
from daemon.model.config import PolicyConfig, load_config
from daemon.model.errors import ConfigurationError
from daemon.model.statements import Purpose
from daemon.model.times import format_instant
from daemon.policy.cases import disposal as disposals
from daemon.policy.cases.replay import replay as replay_all
from daemon.policy.cases.rulings import ruling_on
from daemon.policy.context import PolicyContext
from daemon.policy.opening import open_context
from daemon.policy.rules.decide import Ruling
from daemon.policy.rules.regime import find
from daemon.policy.service import PolicyService
from daemon.seal.core_dumps import forget_in_core_dumps


@contextmanager
def opened(config_path: Path) -> Iterator[PolicyContext]:
    """The service's store, beside the running service."""
    context = open_context(load_config(PolicyConfig, config_path), SystemClock())
    try:
        yield context
    finally:
        context.store.close()


def explain_live(config_path: Path, regime: str | None, clip_id: str, person_id: str, purpose: Purpose) -> Ruling:
    """What is decided now about a clip that docks have announced."""
    with opened(config_path) as context:
        if regime is not None:
            context.regime = find(regime)
        if person_id not in context.trust.statement.people:
            raise ConfigurationError(f"--person {person_id}: not enrolled")
        return ruling_on(context, context.store.clip(clip_id), person_id, purpose).ruling


@click.command()
@POLICY_CONFIG
def serve(config_path: Path) -> None:
    """Run the policy service until it is told to stop.

    SIGHUP (systemctl reload bwc-policy) reads the trust, the log's level, and the broker's certificates again.

    \b
    Example:  bwc policy serve --config config/policy.toml
    """
    config = load_config(PolicyConfig, config_path)
    start_logging(config.log)
    forget_in_core_dumps()
    run_until_signalled(PolicyService(config, SystemClock(), lambda: load_config(PolicyConfig, config_path)))


@click.command()
@click.option("--regime", "name", metavar="R", required=True, help="A regime's name, or the folder of one.")
@POLICY_CONFIG
@JSON
def replay(name: str, config_path: Path, as_json: bool) -> None:
    """Decide every decision on record again under another regime: which would have gone otherwise, and why.

    \b
    Example:  bwc policy replay --regime doj-preferred-2023
    """
    regime = find(name)
    total, otherwise = 0, []
    with opened(config_path) as context:
        for one in replay_all(context.store, regime):
            total += 1
            if one.differs:
                reply: dict[str, Any] = {"at": one.row.at, "clip_id": one.row.clip_id, "person_id": one.row.person_id}
                otherwise.append(reply | {"recorded": one.recorded, "replayed": one.ruling.document()})
    if as_json:
        print_json({"regime": regime.name, "regime_sha256": regime.sha256, "decisions": total, "otherwise": otherwise})
        return
    for one_said in otherwise:
        before, after = one_said["recorded"]["outcome"], one_said["replayed"]["outcome"]
        click.echo(f"{one_said['at']}  {one_said['person_id']}  clip {one_said['clip_id']}: {before}, would be {after}")
        for because in one_said["replayed"]["because"]:
            click.echo(f"    because {because['reason']} [{because['policy_id']}]")
    click.echo(f"{total} decisions on record; {len(otherwise)} would have gone otherwise under {regime.name}")


@click.command()
@POLICY_CONFIG
@JSON
def disposal(config_path: Path, as_json: bool) -> None:
    """Report what is due for disposal by the retention schedule, and what a legal hold keeps. Disposes of nothing.

    \b
    Example:  bwc policy disposal --config config/policy.toml
    """
    with opened(config_path) as context:
        found = disposals.report(context, context.now())
    if as_json:
        print_json([asdict(due) | {"keep_until": format_instant(due.keep_until)} for due in found])
        return
    for due in found:
        held = f"held by {', '.join(due.held_by)}" if due.held_by else "may go"
        click.echo(f"{due.clip_id}  due since {format_instant(due.keep_until)}  {held}")
    click.echo(f"{len(found)} clips are due")
