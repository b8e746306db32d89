"""`bwc custody witness`: for whoever wants to hold docks to what they have said of their logs."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import click

from daemon.cli.shared.options import JSON
from daemon.cli.shared.output import print_json, start_logging
from daemon.cli.shared.person import as_client
from daemon.model.config import Broker
from daemon.model.errors import TamperedError

_PATH = click.Path(path_type=Path)


@click.command()
@as_client
@click.option("--trust", type=_PATH, required=True, help="The agency's trust.json.")
@click.option("--root", type=_PATH, required=True, help="The agency's root.sign.pub.pem.")
@click.option("--key", type=_PATH, required=True, help="Your own .sign.pem, to cosign with.")
@click.option("--name", required=True, help="Your name as a witness, such as monitor.example.")
@click.option("--out", type=_PATH, required=True, help="Directory where what was heard is kept.")
@click.option("--vault", "vaults", type=_PATH, multiple=True, help="Catch up from this dock's vault; repeatable.")
@click.option("--once", is_flag=True, help="Hear what waits at the broker, report, and end.")
@JSON
def witness(
    broker: Broker,
    agency: str,
    trust: Path,
    root: Path,
    key: Path,
    name: str,
    out: Path,
    vaults: tuple[Path, ...],
    once: bool,
    as_json: bool,
) -> None:
    """Remember what every dock says of its custody log, and cosign it (C2SP).

    Listens to entries and checkpoints on MQTT. A log that was rewritten, forked or cut short no longer fits what was
    heard before: that is an alarm, written to OUT with the evidence; exit 4. Entries missed while not listening come
    from --vault. Keeps no footage and can open nothing.

    \b
    Example:  bwc custody witness --trust trust.json --root root.sign.pub.pem \\
                  --key monitor.sign.pem --name monitor.example --out witnessed/
    """
    from daemon.custody.witness import Alarm, Cosigner
    from daemon.model.clock import SystemClock
    from daemon.review.witness import Witness, WitnessService
    from daemon.seal.keys import load_sign_public
    from daemon.seal.private_keys import load_sign_key
    from daemon.seal.trust import load_trust

    start_logging("warning")
    enrolled = load_trust(trust, load_sign_public(root))
    known = Witness(out, agency, enrolled, Cosigner(_witness_name(name), load_sign_key(key)))
    alarms: list[Alarm] = []

    def tell(alarm: Alarm) -> None:
        alarms.append(alarm)
        click.echo(f"ALARM: dock {alarm.dock_id}: {alarm.problem}", err=True)

    clock = SystemClock()
    try:
        for vault in vaults:
            for alarm in known.read_vault(vault, clock.now()):
                tell(alarm)
        known.sync()
        service = WitnessService(known, broker, agency, name, clock)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: service.stop())
        service.run(tell, once=once)
        _report(known.report(), alarms, as_json)
    finally:
        known.close()
    if alarms:
        raise TamperedError(f"{len(alarms)} alarms; dock {alarms[0].dock_id}: {alarms[0].problem}")


def _witness_name(name: str) -> str:
    if not name or any(char.isspace() or char == "+" for char in name):
        raise click.UsageError("--name: a witness's name has neither spaces nor +")
    return name


def _report(docks: list[dict[str, Any]], alarms: list[Any], as_json: bool) -> None:
    if as_json:
        found = [{"dock_id": alarm.dock_id, "problem": alarm.problem} for alarm in alarms]
        print_json({"docks": docks, "alarms": found})
        return
    for dock in docks:
        gap = f", {dock['missing']} more not heard (give --vault)" if dock["missing"] else ""
        click.echo(f"{dock['dock_id']:12} {dock['entries']} entries, cosigned up to {dock['witnessed']}{gap}")
