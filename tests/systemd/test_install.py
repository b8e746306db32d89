"""What `make install` puts on a machine, and how it treats what is there."""

from __future__ import annotations

import re

import pytest

from tests.cli.commands import EVERY
from tests.systemd.machine import SOURCE
from tests.systemd.station import DOCK_UNIT, POLICY_UNIT, UNITS, Station

pytestmark = pytest.mark.xdist_group("loop devices")
FOLDER = "/usr/local/lib/systemd/system"


def test_units_are_clean(station: Station) -> None:
    units = [f"{FOLDER}/{unit}" for unit in (*UNITS, "bwc-camera@.service")]
    assert station.machine.run("systemd-analyze", "verify", *units) == ""


@pytest.mark.parametrize("unit", UNITS)
def test_services_are_exposed_to_little(station: Station, unit: str) -> None:
    analyze = ("systemd-analyze", "security", "--offline=true", "--threshold=15", f"{FOLDER}/{unit}")
    said = station.machine.run(*analyze)
    found = re.search(r"Overall exposure level for .*: ([0-9.]+)", said)
    assert found is not None and float(found[1]) <= 1.5, said


@pytest.mark.parametrize("unit", UNITS)
def test_stopping_never_takes_long(station: Station, unit: str) -> None:
    assert station.machine.property(unit, "TimeoutStopUSec") in {f"{seconds}s" for seconds in range(1, 11)}


def test_an_upgrade_keeps_what_is_the_administrators_and_starts_what_ran(station: Station) -> None:
    machine = station.machine
    mine = {name: machine.path(f"/etc/bwc/{name}.toml").read_text() for name in ("dock", "policy", "board")}
    machine.path("/opt/bwc/lib/bwc/examples/dock.toml").write_text("# the example of an earlier version\n")
    station.start(POLICY_UNIT)
    machine.run("systemctl", "stop", DOCK_UNIT)
    before = machine.pid(POLICY_UNIT)
    said = machine.make("install")
    machine.await_property(POLICY_UNIT, "ActiveState", lambda state: state == "active")
    assert machine.pid(POLICY_UNIT) != before, "what runs is the new program"
    assert machine.property(DOCK_UNIT, "ActiveState") == "inactive", "what did not run still does not"
    for name, text in mine.items():
        assert machine.path(f"/etc/bwc/{name}.toml").read_text() == text
    new = machine.path("/etc/bwc/dock.toml.new")
    assert new.read_text() == (SOURCE / "config" / "dock.toml").read_text() and "dock.toml.new" in said
    assert not machine.path("/etc/bwc/policy.toml.new").exists(), "that example has not changed since"


def test_an_upgrade_brings_the_docks_store_up_to_date(station: Station) -> None:
    machine = station.machine
    store = "/var/lib/bwc/dock/dock.sqlite"

    def sql(*statements: str) -> str:
        """The last one's rows, read inside the machine."""
        code = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); "
        code += "print([*map(db.execute, sys.argv[2:])][-1].fetchall())"
        return machine.run("/opt/bwc/bin/python3", "-c", code, store, *statements)

    station.start(DOCK_UNIT)
    before = station.custody()
    machine.run("systemctl", "stop", DOCK_UNIT)
    later = [f"DROP TABLE {table}" for table in ("replica", "to_replicate", "evicting", "spool", "erasing")]
    sql("DROP TRIGGER spool_grew", "DROP TRIGGER spool_disposed", *later, "PRAGMA user_version = 1")
    machine.make("install")
    station.start(DOCK_UNIT)
    assert sql("PRAGMA user_version").strip() != "[(1,)]"
    copy, current = machine.path(f"{store}.1.bak").stat(), machine.path(store).stat()
    assert (copy.st_uid, copy.st_mode) == (current.st_uid, current.st_mode)
    assert station.custody()[: len(before)] == before


def test_there_is_a_manual(station: Station) -> None:
    pages = {path.name for path in station.machine.path("/usr/local/share/man/man1").glob("bwc*")}
    assert pages == {f"{words.replace(' ', '-')}.1" for words in EVERY}
    text = station.machine.path("/usr/local/share/man/man1/bwc-dock.1").read_text()
    assert ".SH COMMANDS" in text and all(f"bwc dock-{name}(1)" in text for name in ("run", "status", "check"))


def test_bash_completes_what_is_typed(station: Station) -> None:
    """As bash does at TAB: it looks the command's completion up by its name, and calls what it finds there."""
    tab = """
        source /usr/local/share/bash-completion/completions/bwc
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        function=$(complete -p bwc | sed 's/.* -F \\([^ ]*\\) .*/\\1/')
        "$function" bwc "${!#}" "${@:$#-1:1}"
        echo "${COMPREPLY[*]}"
    """

    def completed(*words: str) -> list[str]:
        return station.machine.run("bash", "-c", tab, "bash", *words).split()

    assert completed("bwc", "rev") == ["review"]
    assert completed("bwc", "review", "op") == ["open"]
    assert completed("bwc", "dock", "status", "--wat") == ["--watch"]
    assert completed("bwc", "attest", "hold", "--state", "pl") == ["placed"]


def test_keys_are_for_root_alone(station: Station) -> None:
    for user in ("bwc-dock", "bwc-policy", "bwc-board"):
        command = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "ls", "/etc/bwc/credentials")
        assert "Permission denied" in station.machine.run(*command, check=False)
