"""From a socket to a bay: a block device appears, udev names its bay, systemd mounts it, the dock takes its clip in."""

from __future__ import annotations

import pytest

from tests.kit.precinct import wait_until
from tests.systemd.machine import Machine
from tests.systemd.station import Station, plugged_in

pytestmark = pytest.mark.xdist_group("loop devices")
RULES = ("60-persistent-storage.rules", "99-systemd.rules")


def start_udev(machine: Machine) -> None:
    """udev inside, for block devices alone: it hears of devices outside too, and has no business with those.

    systemd looks once, when it starts, whether /sys can be written and udev runs; then it knows devices, or none.
    """
    machine.run("mount", "-o", "remount,bind,rw", "/sys")
    machine.run("sh", "-c", f"cd /lib/udev/rules.d && rm -f $(ls | grep -vxF '{chr(10).join(RULES)}')")
    machine.run("systemctl", "start", "systemd-udevd.service")
    machine.run("systemctl", "daemon-reexec")


def test_a_camera_in_a_named_socket_is_mounted_and_one_in_another_is_not(station: Station) -> None:
    machine = station.machine
    station.start()
    with plugged_in(machine) as device, plugged_in(machine) as stick:
        name = device.removeprefix("/dev/")
        bays = machine.path("/etc/udev/rules.d/69-bwc-bays.rules")
        bays.write_text(bays.read_text() + f'KERNEL=="{name}", ENV{{BWC_BAY}}="bay-9"\n')
        start_udev(machine)
        for each in (stick, device):
            machine.run("udevadm", "trigger", "--settle", "--action=change", f"/sys/block/{each.removeprefix('/dev/')}")
        unit = f"bwc-camera@{name}.service"
        machine.await_property(unit, "ActiveState", lambda state: state == "active")
        found = machine.run("findmnt", "-no", "SOURCE,OPTIONS", "/run/bwc/mounts/bay-9")
        assert found.startswith(device) and "nosymfollow" in found
        assert machine.run("findmnt", "-no", "TARGET", "--source", stick, check=False) == ""
        clip = station.record("bay-9", 100_000)
        wait_until(station.receipt("bay-9", clip).exists, "the receipt")
        bays.write_text("")  # what the loop device itself says later is no camera docking
        machine.run("udevadm", "control", "--reload")
        machine.run("udevadm", "trigger", "--settle", "--action=remove", f"/sys/block/{name}")  # pulled out
        machine.await_property(unit, "ActiveState", lambda state: state == "inactive")
        station.precinct.bay("bay-9", "empty")
        assert machine.run("findmnt", "/run/bwc/mounts/bay-9", check=False) == ""


def test_a_bay_is_never_another_place(station: Station) -> None:
    helper = "/opt/bwc/lib/bwc/camera-mount"
    with plugged_in(station.machine) as device:
        for bay, kind in (("../../etc", "ext4"), (".hidden", "ext4"), ("", "ext4"), ("bay-8", "iso9660")):
            said = station.machine.run(
                *(helper, "mount", device), check=False, environment={"BWC_BAY": bay, "ID_FS_TYPE": kind}
            )
            assert f"{device}: " in said
        assert station.machine.run("findmnt", "--source", device, check=False) == ""
