"""`make uninstall`: the program goes, what it made and was given stays. Last in this folder."""

from __future__ import annotations

import pytest

from tests.systemd.station import DOCK_UNIT, Station

pytestmark = pytest.mark.xdist_group("loop devices")


def test_evidence_keys_and_configuration_stay(station: Station) -> None:
    machine = station.machine
    station.start()
    kept = ("/etc/bwc/dock.toml", "/etc/bwc/credentials/dock/sign.pem", "/var/lib/bwc/dock/dock.sqlite")
    said = machine.make("uninstall")
    assert "/var/lib/bwc (evidence)" in said
    assert all(machine.path(path).exists() for path in (*kept, "/var/lib/bwc/vault/clips"))
    for gone in ("/opt/bwc", "/usr/local/bin/bwc"):
        assert not machine.path(gone).exists() and not machine.path(gone).is_symlink()
    for folder in ("systemd/system", "sysusers.d", "tmpfiles.d", "udev/rules.d"):
        assert list(machine.path(f"/usr/local/lib/{folder}").glob("*bwc*")) == []
    assert list(machine.path("/usr/local/share").rglob("*bwc*")) == []
    assert machine.property(DOCK_UNIT, "ActiveState") == "inactive"
    assert machine.run("id", "-u", "bwc-dock")
    machine.make("uninstall")  # a second time does no harm
