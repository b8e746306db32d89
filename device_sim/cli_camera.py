"""`bwc-sim camera`: one camera docks in a bay."""

from __future__ import annotations

import itertools
import json
import re
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from device_sim import envelope, times
from device_sim.camera import docking, faults, keyboard, mp4, recording, watch
from device_sim.camera.loop import FILESYSTEMS
from device_sim.camera.memory import Memory
from device_sim.errors import usage

_FILE = click.Path(path_type=Path)
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def _epilog() -> str:
    return "\b\nFaults:\n" + faults.help_text()


@click.command(epilog=_epilog())
@click.option("--mounts", type=_FILE, required=True, help="the directory that the dock watches")
@click.option("--bay", required=True, metavar="NAME", help="the bay to dock in")
@click.option("--serial", required=True, metavar="S", help="the camera's serial")
@click.option("--officer", "officer_id", required=True, metavar="ID", help="who wore it")
@click.option("--key", "key_file", type=_FILE, required=True, help="the camera's S.sign.pem")
@click.option("--dock-key", "dock_key_files", type=_FILE, multiple=True, help="a dock's D.sign.pub.pem; repeatable")
@click.option("--model", default="simulated", show_default=True)
@click.option("--firmware", default="1.0.0", show_default=True)
@click.option(
    "--started-at", "--agency-time", metavar="TIME", help="true time of the first clip's start [default: just now]"
)
@click.option("--clip", "clips", multiple=True, metavar="SPEC", help="key=value,…; repeatable; keys below")
@click.option("--video", "videos", type=_FILE, multiple=True, help="an MP4 of yours as a clip; repeatable")
@click.option("--bytes", "size", type=click.IntRange(0), help="each clip has exactly so many bytes")
@click.option("--count", type=click.IntRange(0), help="how many clips [default: 1 if there would be none]")
@click.option("--seconds", type=click.FloatRange(0), default=5.0, show_default=True, help="length of a clip")
@click.option("--footage-seconds", type=click.FloatRange(0), help="picture in the file [default: as --seconds]")
@click.option("--pre-event", type=click.FloatRange(0), help="buffer before the trigger [default: a third, at most 30]")
@click.option("--trigger-on", type=click.Choice(recording.TRIGGERS), default="button", show_default=True)
@click.option("--trigger-off", type=click.Choice(recording.TRIGGERS), default="button", show_default=True)
@click.option("--skew", type=float, default=0.0, metavar="SECONDS", help="the camera's clock is so far ahead")
@click.option("--seed", type=int, help="same seed, same clips [default: a fresh one]")
@click.option("--fault", "fault_names", multiple=True, metavar="KIND", help="what goes wrong; repeatable; kinds below")
@click.option("--yank-after", type=click.FloatRange(0), default=1.0, show_default=True, metavar="SECONDS")
@click.option("--slow-for", type=click.FloatRange(0), default=3.0, show_default=True, metavar="SECONDS")
@click.option("--until", type=click.Choice(["docked", "receipted"]), default="receipted", show_default=True)
@click.option("--timeout", type=click.FloatRange(0), default=60.0, show_default=True, help="seconds for receipts")
@click.option("--undock/--stay", default=None, help="leave the bay at the end [default: once receipted]")
@click.option("--store", type=_FILE, help="the camera's memory while undocked [default: MOUNTS/../cameras/SERIAL]")
@click.option("--keep-footage", type=_FILE, metavar="DIR", help="copy each new clip there as CLIP_ID.mp4")
@click.option("--loop", is_flag=True, help="the memory is a real filesystem on a loop device (as root)")
@click.option("--filesystem", type=click.Choice(FILESYSTEMS), default="exfat", show_default=True, help="with --loop")
@click.option("--loop-bytes", type=click.IntRange(1 << 22), default=1 << 30, show_default=True, help="its size")
@click.option("--watch", is_flag=True, help="by single keys: d dock, u undock, r record, f next fault, q quit")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def camera(**options: Any) -> int:
    """Dock a camera: record clips, appear in a bay, erase each clip once a valid receipt covers it, undock.

    \b
    Example:
      bwc-sim camera --mounts mounts --bay bay-1 --serial cam-1 --officer 51234 \\
          --key keys/cam-1.sign.pem --dock-key keys/dock-1.sign.pub.pem --count 2
      bwc-sim camera … --watch
      bwc-sim camera … --loop --filesystem ext4
      bwc-sim camera … --clip started_at=2023-11-29T21:45:02.120Z,seconds=600,footage=3,trigger_on=sidearm

    SPEC keys: started_at, seconds, pre_event, trigger_on, trigger_off, clip_id, bytes, footage (seconds of picture),
    marker=LABEL or marker=LABEL@SECONDS (repeatable).
    """
    for name in ("bay", "serial", "officer_id"):
        if not _ID.fullmatch(options[name]) or options[name].strip(".") == "":
            raise usage(f"{options[name]!r} is no {name}", "1 to 64 of A-Z a-z 0-9 . _ -")
    wearer = recording.Wearer(
        serial=options["serial"],
        officer_id=options["officer_id"],
        key=envelope.load_private(options["key_file"]),
        model=options["model"],
        firmware=options["firmware"],
        skew_seconds=options["skew"],
    )
    stay = _stay(options)
    if options["watch"]:
        _watch(options, wearer, stay)
        return 0
    as_json = options["as_json"]
    outcome = docking.run(wearer, _specs(options, stay.store), stay, _silent if as_json else click.echo)
    if as_json:
        click.echo(json.dumps(outcome.as_dict(stay.keep_footage), indent=2))
    for visit in outcome.visits:
        if visit.receipt not in (None, docking.VERIFIED):
            click.echo(f"error: clip {visit.clip.clip_id}: {visit.receipt}, not erased", err=True)
    return outcome.exit_code


def _watch(options: dict[str, Any], wearer: recording.Wearer, stay: docking.Stay) -> None:
    if not stay.dock_keys:
        raise usage("no dock key to verify receipts with", "give --dock-key FILE.sign.pub.pem")
    seed = options["seed"] if options["seed"] is not None else secrets.randbits(32)
    numbers = itertools.count()

    def spec() -> recording.ClipSpec:
        start = datetime.now(UTC) - timedelta(seconds=options["seconds"])
        default = _default(options, recording.clip_seed(options["serial"], seed, next(numbers)), start, None)
        return recording.checked(default)

    hands = watch.Hands(wearer, stay, docking.bay_of(wearer, stay), spec, click.echo)
    with keyboard.keyboard() as keys:
        watch.Watch(hands).run(keys)


def _silent(_line: str) -> None:
    """With --json only the document is printed."""


def _stay(options: dict[str, Any]) -> docking.Stay:
    mounts: Path = options["mounts"].absolute()
    return docking.Stay(
        mounts=mounts,
        bay=options["bay"],
        dock_keys=[envelope.load_public(path) for path in options["dock_key_files"]],
        store=(options["store"] or mounts.parent / "cameras" / options["serial"]).absolute(),
        faults=faults.checked(options["fault_names"]),
        until_receipted=options["until"] == "receipted",
        timeout_seconds=options["timeout"],
        undock=options["undock"],
        yank_after=options["yank_after"],
        slow_for=options["slow_for"],
        keep_footage=options["keep_footage"],
        filesystem=options["filesystem"] if options["loop"] else None,
        filesystem_bytes=options["loop_bytes"],
    )


def _specs(options: dict[str, Any], store: Path) -> list[recording.ClipSpec]:
    """The clips of --clip, then --video, then --count. Each starts a minute after the one before has ended."""
    seed = options["seed"] if options["seed"] is not None else secrets.randbits(32)
    count = options["count"]
    if count is None:
        count = 0 if options["clips"] or options["videos"] or Memory(store).clips else 1
    wanted: list[tuple[str, Path | None]] = [(text, None) for text in options["clips"]]
    wanted += [("", video) for video in options["videos"]] + [("", None)] * count
    specs: list[recording.ClipSpec] = []
    start = _start(options, len(wanted))
    for index, (text, video) in enumerate(wanted):
        default = _default(options, recording.clip_seed(options["serial"], seed, index), start, video)
        spec = recording.parse_spec(text, default) if text else recording.checked(default)
        specs.append(spec)
        start = spec.started_at + timedelta(seconds=spec.seconds + 60)
    return specs


def _start(options: dict[str, Any], clips: int) -> datetime:
    if options["started_at"] is None:
        return datetime.now(UTC) - timedelta(seconds=clips * (options["seconds"] + 60))
    try:
        return times.parse(options["started_at"])
    except ValueError as bad:
        raise usage(f"cannot read --started-at {options['started_at']!r}", "like 2023-11-29T21:45:02.120Z") from bad


def _default(options: dict[str, Any], seed: int, start: datetime, video: Path | None) -> recording.ClipSpec:
    seconds = options["seconds"] if video is None else _length(video, options["seconds"])
    buffer = options["pre_event"]
    picture = options["footage_seconds"]
    return recording.ClipSpec(
        started_at=start,
        seconds=seconds,
        pre_event=buffer if buffer is not None else recording.usual_pre_event(seconds),
        trigger_on=options["trigger_on"],
        trigger_off=options["trigger_off"],
        clip_id=recording.clip_id(seed),
        seed=seed,
        footage_seconds=picture if picture is not None else seconds,
        size=options["size"] if video is None else None,
        video=video,
    )


def _length(video: Path, otherwise: float) -> float:
    try:
        with video.open("rb") as file:
            return mp4.duration_seconds(file, video.stat().st_size) or otherwise
    except OSError as bad:
        raise usage(f"cannot read --video {video}", (bad.strerror or "unreadable").lower()) from bad
