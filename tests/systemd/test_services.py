"""The services under real systemd: ready once recovered, watched, stopped and killed at any moment; keys and logs."""

from __future__ import annotations

import json
import time
from urllib.request import urlopen

import pytest

from tests.kit.patience import PATIENCE
from tests.kit.precinct import CAMERA, wait_until
from tests.kit.scrape import await_value
from tests.systemd.station import (
    BOARD_PAGE,
    BOARD_UNIT,
    DOCK_METRICS,
    DOCK_UNIT,
    POLICY_METRICS,
    POLICY_UNIT,
    UNITS,
    Station,
    docked,
    override,
)

pytestmark = pytest.mark.xdist_group("loop devices")
LONG = 25_000_000
"""Bytes of a clip that takes a few seconds to read, as the configuration paces it."""


def restarts(station: Station) -> int:
    return int(station.machine.property(DOCK_UNIT, "NRestarts"))


def test_a_camera_that_docks_later_is_taken_in_and_undocks(station: Station) -> None:
    machine = station.machine
    station.start()
    with docked(machine, "bay-1") as undock:
        options = machine.run("findmnt", "-no", "OPTIONS", "/run/bwc/mounts/bay-1").split(",")
        assert {"nosuid", "nodev", "noexec", "nosymfollow"} <= set(options)
        clip = station.record("bay-1", 300_000)
        wait_until(station.receipt("bay-1", clip).exists, "the receipt")
        station.precinct.bay("bay-1", "done")
        assert station.precinct.notice(clip)["lock"]["state"] == "locked"
        in_words = machine.await_property(DOCK_UNIT, "StatusText", lambda said: said.startswith("1 camera docked"))
        assert in_words.endswith("broker connected") and " locked, 0 released" in in_words
        undock()
        station.precinct.bay("bay-1", "empty")
    assert machine.run("findmnt", "/run/bwc/mounts/bay-1", check=False) == ""
    machine.await_property(DOCK_UNIT, "StatusText", lambda said: said.startswith("0 cameras docked"))


def test_a_camera_that_docked_before_the_start_gets_its_receipt(station: Station) -> None:
    station.start()
    station.machine.run("systemctl", "stop", DOCK_UNIT)
    with docked(station.machine, "bay-2") as undock:
        clip = station.record("bay-2", 200_000)
        station.start()
        wait_until(station.receipt("bay-2", clip).exists, "the receipt")
        undock()
        station.precinct.bay("bay-2", "empty")


def test_the_board_answers_and_never_reaches_a_key(station: Station) -> None:
    machine = station.machine
    station.start(*UNITS)
    page = f"http://127.0.0.1:{BOARD_PAGE}/"
    with docked(machine, "bay-8"):
        clip = station.record("bay-8", 50_000)
        wait_until(station.receipt("bay-8", clip).exists, "the receipt")
        station.precinct.bay("bay-8", "done")
        wait_until(lambda: "Safe to undock" in urlopen(page, timeout=PATIENCE).read().decode(), "the bay on the page")
    machine.await_property(BOARD_UNIT, "StatusText", lambda said: said == "listening to 1 docks")
    process = machine.path(f"/proc/{machine.pid(BOARD_UNIT)}")
    assert process.stat().st_uid == int(machine.run("id", "-u", "bwc-board"))
    assert list(machine.path(f"/run/credentials/{BOARD_UNIT}").iterdir()) == []
    machine.run("systemctl", "stop", BOARD_UNIT)
    assert machine.property(BOARD_UNIT, "Result") == "success"


def test_the_journal_has_fields(station: Station) -> None:
    station.start()
    with docked(station.machine, "bay-3"):
        clip = station.record("bay-3", 100_000)
        wait_until(station.receipt("bay-3", clip).exists, "the receipt")
    (said,) = station.machine.journal(f"CLIP_ID={clip}", "LOGGER=daemon.dock.ingest.batches")
    assert said["MESSAGE"].startswith(f"took in clip {clip}")
    assert (said["BAY"], said["CAMERA"], said["PRIORITY"]) == ("bay-3", CAMERA, "6")
    assert said["_SYSTEMD_UNIT"] == DOCK_UNIT and said["SYSLOG_IDENTIFIER"] == "bwc"
    assert next(e["MESSAGE"] for e in station.machine.journal("BAY=bay-3")).startswith("bay bay-3: a camera docked")
    docking = "bay bay-3: camera cam-0001 is looked through"
    assert docking in [e["MESSAGE"] for e in station.machine.journal(f"CAMERA={CAMERA}", "BAY=bay-3")]
    assert not [e for e in station.machine.journal("-u", DOCK_UNIT) if str(e["MESSAGE"]).startswith("{")]


def test_hardened_as_they_are_they_tell_their_metrics(station: Station) -> None:
    station.start()
    with docked(station.machine, "bay-6"):
        clip = station.record("bay-6", 100_000)
        wait_until(station.receipt("bay-6", clip).exists, "the receipt")
        await_value(DOCK_METRICS, lambda n: n > 0, "bwc_dock_taken_in_clips_total", integrity="verified")
    await_value(POLICY_METRICS, lambda n: n > 0, "bwc_policy_broker_connected")


def test_keys_come_as_credentials(station: Station) -> None:
    station.start()
    for unit, names in ((DOCK_UNIT, {"dock_sign.pem"}), (POLICY_UNIT, {"policy_sign.pem", "policy_open.pem"})):
        folder = station.machine.path(f"/run/credentials/{unit}")
        assert {path.name for path in folder.iterdir()} == names
        user = unit.removesuffix(".service")
        assert station.machine.property(unit, "User") == user
        process = station.machine.path(f"/proc/{station.machine.pid(unit)}")
        assert process.stat().st_uid == int(station.machine.run("id", "-u", user))


def test_stopped_in_the_middle_of_a_clip(station: Station) -> None:
    machine = station.machine
    station.start()
    with docked(machine, "bay-4", 96):
        clip = station.record("bay-4", LONG)
        station.await_reading("bay-4")
        begun = time.monotonic()
        machine.run("systemctl", "stop", DOCK_UNIT)
        took = time.monotonic() - begun
        assert took < 10 and machine.property(DOCK_UNIT, "Result") == "success", f"{took:.1f} s"
        assert not station.receipt("bay-4", clip).exists()
        station.start()
        wait_until(station.receipt("bay-4", clip).exists, "the receipt", PATIENCE)
    assert len(station.custody(action="ingested", clip_id=clip)) == 1
    assert machine.run("bwc", "dock", "check").endswith(" 0 findings")


def test_killed_in_the_middle_of_a_clip_it_recovers_before_it_is_ready(station: Station) -> None:
    machine = station.machine
    station.start()
    before = restarts(station)
    with docked(machine, "bay-5", 96):
        clip = station.record("bay-5", LONG)
        station.await_reading("bay-5")
        killed = machine.pid(DOCK_UNIT)
        machine.run("kill", "-KILL", killed)
        machine.await_property(DOCK_UNIT, "NRestarts", lambda n: int(n) > before)
        machine.await_property(DOCK_UNIT, "ActiveState", lambda state: state == "active")
        wait_until(station.receipt("bay-5", clip).exists, "the receipt", PATIENCE)
    again = machine.pid(DOCK_UNIT)
    dropped = machine.journal(f"CLIP_ID={clip}", f"_PID={again}", "LOGGER=daemon.dock.recovery")
    assert [entry["MESSAGE"].startswith("dropped unfinished work") for entry in dropped] == [True]
    ready = [e for e in machine.journal("_PID=1", f"UNIT={DOCK_UNIT}") if e.get("JOB_RESULT") == "done"]
    started = [e for e in ready if e["MESSAGE"].startswith("Started")][-1]
    assert int(dropped[0]["__MONOTONIC_TIMESTAMP"]) < int(started["__MONOTONIC_TIMESTAMP"])
    assert len(station.custody(action="ingested", clip_id=clip)) == 1
    assert list(machine.path("/var/lib/bwc/vault/incoming").iterdir()) == []
    assert machine.run("bwc", "dock", "check").endswith(" 0 findings")


@pytest.mark.parametrize("unit", UNITS)
def test_one_that_hangs_is_started_again(station: Station, unit: str) -> None:
    station.start(*UNITS)
    machine = station.machine
    before, hung = int(machine.property(unit, "NRestarts")), machine.pid(unit)
    machine.run("kill", "-STOP", hung)
    machine.await_property(unit, "NRestarts", lambda n: int(n) > before)
    machine.await_property(unit, "ActiveState", lambda state: state == "active")
    assert machine.pid(unit) != hung
    assert any("Watchdog timeout" in entry["MESSAGE"] for entry in machine.journal("_PID=1", f"UNIT={unit}"))


_MUTE = """\
[Service]
ExecStart=
ExecStart=/opt/bwc/bin/python -c '%s'
"""
_CODE = """\
from daemon.cli.main import bwc; from daemon.link.mqtt import MqttClient; \
MqttClient._on_connect = lambda *_: 1 / 0; bwc(%s)"""


@pytest.mark.parametrize(("unit", "command"), [*zip(UNITS, ("dock run", "policy serve", "board serve"), strict=True)])
def test_one_whose_connection_thread_dies_is_started_again(station: Station, unit: str, command: str) -> None:
    """paho's thread ends without a word when a callback raises: the loop goes on, and hears nobody."""
    machine = station.machine
    machine.run("systemctl", "stop", unit)
    override(machine, unit, "mute", _MUTE % (_CODE % json.dumps(command.split())))
    try:
        machine.run("systemctl", "start", unit)
        before = int(machine.property(unit, "NRestarts"))
        machine.await_property(unit, "StatusText", lambda said: "thread has ended" in said)
        machine.await_property(unit, "NRestarts", lambda n: int(n) > before)
    finally:
        machine.run("systemctl", "stop", unit)
        override(machine, unit, "mute", None)


def test_a_reload_puts_the_trust_in_force_and_ends_ready(station: Station) -> None:
    station.start()
    machine = station.machine
    for unit in (DOCK_UNIT, POLICY_UNIT):
        kept = machine.pid(unit)
        machine.run("systemctl", "reload", unit)
        said = f"_PID={kept}"
        wait_until(lambda said=said: any("in force" in e["MESSAGE"] for e in machine.journal(said)), "the reload")  # type: ignore[misc]
        machine.await_property(unit, "ActiveState", lambda state: state == "active")
        assert machine.pid(unit) == kept


def test_what_cannot_start_says_why_and_is_tried_again(station: Station) -> None:
    machine = station.machine
    machine.run("systemctl", "stop", DOCK_UNIT)
    key, away = (machine.path(f"/etc/bwc/credentials/dock/{name}") for name in ("sign.pem", "away"))
    key.rename(away)
    override(machine, DOCK_UNIT, "blind", "[Service]\nProcSubset=pid\n")  # it cannot read the boot's id
    try:
        machine.run("systemctl", "start", "--no-block", DOCK_UNIT)
        await_said(station, "dock_sign.pem: no such file")
        away.rename(key)
        await_said(station, "boot_id: no such file")
    finally:
        override(machine, DOCK_UNIT, "blind", None)
    machine.await_property(DOCK_UNIT, "ActiveState", lambda state: state == "active")


def await_said(station: Station, words: str) -> None:
    wait_until(lambda: any(words in e["MESSAGE"] for e in station.machine.journal("-u", DOCK_UNIT)), words)
