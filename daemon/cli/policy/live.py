"""The `bwc policy` commands that use a service's own store: serve, replay, and explanations of its facts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from daemon.cli.shared.options import JSON, POLICY_CONFIG, run_until_signalled
from daemon.cli.shared.output import print_json, start_logging
from daemon.model.clock import SystemClock
from daemon.model.config import PolicyConfig, load_config
from daemon.model.errors import ConfigurationError
from daemon.model.statements import Purpose
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
    """The parts of the policy service, opened to look only. The service may run meanwhile.

    Raises ConfigurationError or UnavailableError, as `open_context` does.
    """
    context = open_context(load_config(PolicyConfig, config_path), SystemClock())
    try:
        yield context
    finally:
        context.store.close()


def explain_live(config_path: Path, regime: str | None, clip_id: str, person_id: str, purpose: Purpose) -> Ruling:
    """The ruling on a person viewing a clip now, on the facts that the policy service has.

    Raises ConfigurationError for a person who is not enrolled, or for a regime that cannot be used.
    """
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
    total, otherwise = 0, list[dict[str, Any]]()
    with opened(config_path) as context:
        for one in replay_all(context.store, regime):
            total += 1
            if one.differs:
                subject = {"at": one.row.at, "clip_id": one.row.clip_id, "person_id": one.row.person_id}
                otherwise.append(subject | {"recorded": one.recorded, "replayed": one.ruling.document()})
    if as_json:
        print_json({"regime": regime.name, "regime_sha256": regime.sha256, "decisions": total, "otherwise": otherwise})
        return
    for changed in otherwise:
        before, after = changed["recorded"]["outcome"], changed["replayed"]["outcome"]
        click.echo(f"{changed['at']}  {changed['person_id']}  clip {changed['clip_id']}: {before}, would be {after}")
        for because in changed["replayed"]["because"]:
            click.echo(f"    because {because['reason']} [{because['policy_id']}]")
    click.echo(f"{total} decisions on record; {len(otherwise)} would have gone otherwise under {regime.name}")
