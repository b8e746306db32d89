"""`bwc-sim shift`: a precinct's whole shift on this machine."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import click

from device_sim import envelope
from device_sim.camera import docking as camera
from device_sim.camera import faults
from device_sim.cli_dispatch import broker_options, login
from device_sim.dispatch.out import FORGOTTEN_SECONDS, outlet
from device_sim.errors import usage
from device_sim.shifts import plan, shift

_FILE = click.Path(path_type=Path)


@click.command(name="shift", epilog="\b\nFaults:\n" + faults.help_text())
@click.option("--mounts", type=_FILE, help="the directory that the dock watches")
@click.option("--keys", type=_FILE, help="where each camera's SERIAL.sign.pem lies")
@click.option("--make-keys", is_flag=True, help="make the cameras' key pairs that are missing there (and enrol them)")
@click.option("--dock-key", "dock_key_files", type=_FILE, multiple=True, help="a dock's D.sign.pub.pem; repeatable")
@click.option("--bays", type=click.IntRange(1), default=8, show_default=True)
@click.option("--officers", type=click.IntRange(1), help="[default: 4, or the precinct's]")
@click.option("--incidents", type=click.IntRange(0), help="[default: 3 an officer, or the precinct's]")
@click.option("--precinct", "--preset", "precinct", type=click.Choice(sorted(plan.PRESETS)))
@click.option("--scale", type=click.FloatRange(0, min_open=True), default=0.001, show_default=True, help="shrink bytes")
@click.option("--bytes", "size", type=click.IntRange(0), help="each clip has exactly so many bytes")
@click.option("--share", metavar="K/N", help="only the K-th of N parts of the cameras, for one dock of many")
@click.option("--date", "day", default="2023-08-21", show_default=True, help="the shift begins that day at 16:00")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--broker-forgets",
    type=click.FloatRange(0),
    default=FORGOTTEN_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="dispatch of so long is said again to a broker that was lost",
)
@click.option("--speed", type=click.FloatRange(0), default=0.0, show_default=True, help="times as fast; 0: no waiting")
@click.option("--timeout", type=click.FloatRange(0), default=60.0, show_default=True, help="seconds for receipts")
@click.option("--fault", "fault_names", multiple=True, metavar="KIND", help="hits one camera in ten; repeatable")
@click.option("--to", "target", metavar="FOLDER|URL", help="where dispatch sends [default: nowhere]")
@broker_options
@click.option("--plan-only", is_flag=True, help="say what would happen, and do nothing")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def shift_command(**options: Any) -> int:
    """Play a shift: dispatch sends its documents, officers record, cameras dock and wait for their receipts.

    \b
    Example:
      bwc-sim shift --officers 6 --bays 3 --seed 7 --speed 600 --mounts mounts --keys keys --make-keys \\
          --dock-key keys/dock-1.sign.pub.pem --to cad/
      bwc-sim shift --precinct citywide --plan-only --json
    """
    planned = _plan(options)
    if options["plan_only"]:
        _say_plan(planned, as_json=options["as_json"])
        return 0
    with contextlib.ExitStack() as stack:
        stage = _stage(options, planned, stack)
        audience = stack.enter_context(_audience(planned, quiet=options["as_json"]))
        played = shift.play(planned, stage, audience)
    if options["as_json"]:
        click.echo(json.dumps(played.as_dict(), indent=2))
    else:
        done = played.as_dict()
        click.echo(
            f"{len(played.outcomes)} cameras, {done['clips']} clips, {done['erased']} erased against receipts, "
            f"{done['refused']} receipts refused, {done['documents']} documents, {done['seconds']:g} s"
        )
    return played.exit_code(planned)


def _plan(options: dict[str, Any]) -> plan.Plan:
    preset = plan.PRESETS[options["precinct"]] if options["precinct"] else plan.small(options["officers"] or 4)
    if options["precinct"] and options["officers"]:
        share = options["officers"] / preset.officers
        preset = replace(
            preset,
            officers=options["officers"],
            patrol=max(1, round(preset.patrol * share)),
            incidents=round(preset.incidents * share),
            clips=round(preset.clips * share),
        )
    if options["incidents"] is not None:
        preset = replace(preset, incidents=options["incidents"])
    try:
        day = date.fromisoformat(options["day"])
    except ValueError as bad:
        raise usage(f"cannot read --date {options['day']!r}", "like 2023-08-21") from bad
    chosen = tuple(sorted(faults.checked(options["fault_names"])))
    whole = plan.make(preset, options["seed"], day, scale=options["scale"], size=options["size"], faults=chosen)
    return _part(whole, options["share"]) if options["share"] else whole


def _part(whole: plan.Plan, share: str) -> plan.Plan:
    try:
        part, parts = (int(number) for number in share.split("/"))
    except ValueError as bad:
        raise usage(f"cannot read --share {share!r}", "like 3/12") from bad
    if not 1 <= part <= parts:
        raise usage(f"there is no part {share}", "the first of twelve is 1/12")
    return replace(whole, cameras=whole.cameras[part - 1 :: parts])


def _say_plan(planned: plan.Plan, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(planned.as_dict(), indent=1))
        return
    clips = [clip for worn in planned.cameras for clip in worn.clips]
    size = sum(clip.size or 0 for clip in clips)
    click.echo(
        f"{len(planned.cameras)} cameras, {len(clips)} clips, {len(planned.incidents)} incidents, {size:,} bytes"
    )


def _stage(options: dict[str, Any], planned: plan.Plan, stack: contextlib.ExitStack) -> shift.Stage:
    for name in ("mounts", "keys"):
        if options[name] is None:
            raise usage(f"--{name} is missing", "or --plan-only, which touches nothing")
    if not options["dock_key_files"]:
        raise usage("no dock key to verify receipts with", "give --dock-key FILE.sign.pub.pem")
    keys: Path = options["keys"]
    if options["make_keys"]:
        envelope.make_missing_pairs(keys, [camera.serial for camera in planned.cameras])
    for planned_camera in planned.cameras:
        name = f"{planned_camera.serial}.sign.pem"
        if not (keys / name).is_file():
            raise usage(f"{keys} has no {name}", "--make-keys makes the missing keys; enrol the cameras too")
    target = options["target"]
    return shift.Stage(
        mounts=options["mounts"].absolute(),
        keys=keys,
        dock_keys=[envelope.load_public(path) for path in options["dock_key_files"]],
        bays=options["bays"],
        speed=options["speed"],
        timeout_seconds=options["timeout"],
        outlet=stack.enter_context(outlet(target, options["agency"], login(options), options["broker_forgets"]))
        if target
        else None,
        agency=options["agency"],
    )


class _Lines:
    """Progress for a log or a pipe: one line for each camera."""

    def sent(self) -> None:
        """Prints nothing: there are many documents, and the summary counts them."""

    def docked(self, outcome: camera.Outcome) -> None:
        erased = sum(visit.erased for visit in outcome.visits)
        yanked = ", yanked" if outcome.yanked else ""
        click.echo(f"{outcome.bay}: {outcome.wearer.serial} {len(outcome.visits)} clips, {erased} erased{yanked}")

    def failed(self, serial: str, why: str) -> None:
        click.echo(f"error: {serial}: {why}", err=True)


class _Silence(_Lines):
    def docked(self, outcome: camera.Outcome) -> None:
        """With --json only the document is printed."""


@contextlib.contextmanager
def _audience(planned: plan.Plan, *, quiet: bool) -> Iterator[shift.Audience]:
    if quiet or not sys.stdout.isatty():
        yield _Silence() if quiet else _Lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    with Progress("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()) as progress:
        clips = sum(len(each.clips) for each in planned.cameras)
        documents = progress.add_task("dispatch documents", total=None)
        cameras = progress.add_task("cameras docked", total=len(planned.cameras))
        erased = progress.add_task("clips erased against a receipt", total=clips)

        class Bars(_Lines):
            def sent(self) -> None:
                progress.advance(documents)

            def docked(self, outcome: camera.Outcome) -> None:
                progress.advance(cameras)
                progress.advance(erased, sum(visit.erased for visit in outcome.visits))

        yield Bars()
