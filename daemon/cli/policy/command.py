"""`bwc policy`: check an agency's own regime, explain a decision, compare the regimes on the same facts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import click
from rich.console import Console

from daemon.cli.policy import live
from daemon.cli.policy.disposal import disposal
from daemon.cli.policy.output import print_rulings
from daemon.cli.shared.options import JSON, POLICY_CONFIG
from daemon.model.statements import Purpose
from daemon.policy.rules.decide import decide
from daemon.policy.rules.facts import load_facts
from daemon.policy.rules.regime import DEFAULT, Regime, bundled, bundled_names, find

_FACTS: dict[str, Any] = {"metavar": "FILE", "type": click.Path(path_type=Path), "help": "The facts, as JSON or TOML."}


@click.group()
def policy() -> None:
    """Who may view which clip, for what, and why.

    A regime is a folder of Cedar policies. Five come with the package: what Portland's city and its police union
    offered in 2023, what they agreed on, what the Justice Department preferred, and the practice of the state police.
    """


@policy.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@JSON
def check(folder: Path, as_json: bool) -> None:
    """Check an agency's own regime, the policies (*.cedar) in DIR.

    Each file holds one policy with @id, @reason and @source. The rules common to every regime always apply as well;
    a policy that could fail while a decision is made is refused. Ends with 2 and the file's name if something is wrong.

    \b
    Example:
      bwc policy check /etc/bwc/our-regime
    """
    regime = Regime.load(folder)
    if as_json:
        click.echo(json.dumps(_regime_document(regime), indent=2))
        return
    for rule in sorted(regime.rules.values(), key=lambda rule: rule.path):
        click.echo(f"{rule.path}: {rule.effect} {rule.policy_id}: {rule.reason}")
    click.echo(f"{regime.name}: {len(regime.rules)} policies, all sound; regime_sha256 {regime.sha256}")


@policy.command()
@click.option("--facts", "facts_file", **_FACTS)
@click.option("--regime", "name", metavar="R", help=f"A regime's name, or the folder of one.  [default: {DEFAULT}]")
@click.option("--clip", help="Instead of --facts: a clip the service knows …")
@click.option("--person", help="… who asks for it …")
@click.option("--purpose", type=click.Choice(get_args(Purpose)), help="… and for what.")
@POLICY_CONFIG
@JSON
def explain(
    facts_file: Path | None,
    name: str | None,
    clip: str | None,
    person: str | None,
    purpose: Purpose | None,
    config_path: Path,
    as_json: bool,
) -> None:
    """Say how a regime decides on facts, why, and what would open the clip.

    With --clip, --person and --purpose: on the facts that the policy service holds now.

    A refusal is an answer too: the command ends with 0.

    \b
    Example:
      bwc policy explain --facts stop.toml --regime portland-city-offer-2023
    \b
    A facts file:
      now = 2023-11-29T21:45:02Z
      purpose = "report"         # report statement interview investigation
                                 # supervision training court disclosure
      viewer = { person_id = "51234", roles = ["officer"] }
      [clip]
      clip_id = "c1"
      officer_id = "51234"       # who wore the camera
      started_at = 2023-11-29T20:00:00Z
      [incident]                 # leave it out when the clip was classified
                                 # as without force
      incident_id = "i1"
      force = "serious"          # none minimal nondeadly serious deadly
                                 # unclassified
      in_custody_death = false
      involved = ["51234"]
      witnesses = []
      occurred_at = 2023-11-29T20:10:00Z
      [[statements]]             # to: supervisor internal_affairs
      officer_id = "51234"       # form: unrecorded audio video
      to = "supervisor"
      form = "audio"
      given_at = 2023-11-29T21:00:00Z
      # and likewise: reports (officer_id, filed_at), holds (hold_id),
      # authorizations (person_id, purposes, expires_at, by; for a court
      # two people in by, and court_order)
    """
    if facts_file is not None and clip is None:
        regime = find(name or DEFAULT)
        ruling, title = decide(regime, load_facts(facts_file)), regime.name
    elif facts_file is None and clip and person and purpose:
        ruling, title = live.explain_live(config_path, name, clip, person, purpose), f"clip {clip}"
    else:
        raise click.UsageError("give either --facts, or --clip with --person and --purpose")
    if as_json:
        click.echo(json.dumps(ruling.document(), indent=2))
    else:
        print_rulings({title: ruling}, Console())


@policy.command()
@click.option("--facts", "facts_file", required=True, **_FACTS)
@JSON
def compare(facts_file: Path, as_json: bool) -> None:
    """Decide on the same facts under every regime, side by side.

    \b
    Example:
      bwc policy compare --facts stop.toml
    (`bwc policy explain --help` shows what a facts file holds.)
    """
    facts = load_facts(facts_file)
    rulings = {name: decide(bundled(name), facts) for name in bundled_names()}
    if as_json:
        click.echo(json.dumps({name: ruling.document() for name, ruling in rulings.items()}, indent=2))
    else:
        print_rulings(rulings, Console())


def _regime_document(regime: Regime) -> dict[str, object]:
    return {
        "regime": regime.name,
        "regime_sha256": regime.sha256,
        "files": [{"path": path, "sha256": sha256} for path, sha256 in regime.files],
        "policies": [
            {"policy_id": r.policy_id, "effect": r.effect, "reason": r.reason, "source": r.source, "path": r.path}
            for r in sorted(regime.rules.values(), key=lambda rule: rule.path)
        ],
    }


for _command in (live.serve, live.replay, disposal):
    policy.add_command(_command)
