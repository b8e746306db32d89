"""A dock room on a booted machine: installed as an administrator would, with cameras on real filesystems."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.cli.demo import world as worlds
from daemon.cli.demo.stage import Stage, free_port
from daemon.cli.demo.world import AGENCY, DOCK, World
from tests.kit.patience import PATIENCE
from tests.kit.precinct import CAMERA, OFFICER, Precinct, wait_until
from tests.systemd.machine import Machine

DOCK_UNIT, POLICY_UNIT, BOARD_UNIT = "bwc-dock.service", "bwc-policy.service", "bwc-board.service"
UNITS = (DOCK_UNIT, POLICY_UNIT, BOARD_UNIT)
DOCK_METRICS, POLICY_METRICS, BOARD_PAGE = free_port(), free_port(), free_port()
"""Ports are this machine's own, as the network is."""
_HEAD = 'agency = "{agency}"\nstate = "/var/lib/bwc/{name}"\nsign_key = "credential:{name}_sign.pem"\n'
_TAIL = """
[trust]
file = "trust.json"
root = "root.sign.pub.pem"
[broker]
url = "{broker}"
"""
_METRICS = '[metrics]\nlisten = "127.0.0.1:{port}"\n'
_INGEST = "[ingest]\nscan_seconds = 0.3\nreserve_bytes = 16777216\ncamera_bytes_per_second = 15000000\n"
_QUICK = "[Service]\nRestartSec=100ms\nWatchdogSec=3s\n"


@dataclass
class Station:
    """The services' configuration stands in /etc/bwc; nothing runs until it is started."""

    machine: Machine
    world: World

    @property
    def precinct(self) -> Precinct:
        """What can be asked over MQTT."""
        return Precinct(self.world, Stage(self.world))

    def start(self, *units: str) -> None:
        """Returns once they have said that they are ready. Running ones go on running."""
        self.machine.run("systemctl", "start", *(units or (POLICY_UNIT, DOCK_UNIT)))

    def custody(self, **wanted: str) -> list[dict[str, Any]]:
        """The dock's log: entries whose fields (or details) have the wanted values."""
        entries = [json.loads(line) for line in self.machine.run("bwc", "custody", "log").splitlines()]
        return [e for e in entries if all((e | e["detail"]).get(name) == value for name, value in wanted.items())]

    def await_custody(self, seconds: float = PATIENCE, **wanted: str) -> dict[str, Any]:
        wait_until(lambda: bool(self.custody(**wanted)), f"custody {wanted}", seconds)
        return self.custody(**wanted)[0]

    def record(self, bay: str, size: int) -> str:
        """The camera that is mounted there records one clip, and shows itself; returns the clip's id."""
        camera = json.loads(
            self.machine.run(
                *(
                    "setpriv",
                    "--reuid=bwc-dock",
                    "--regid=bwc-dock",
                    "--clear-groups",
                    "/opt/bwc/bin/bwc-sim",
                    "camera",
                ),
                *("--mounts", "/run/bwc/mounts", "--bay", bay, "--serial", CAMERA, "--officer", OFFICER),
                *("--key", "/world/camera.pem", "--store", f"/tmp/store-{bay}", "--bytes", str(size)),
                *("--until", "docked", "--stay", "--json"),
            )
        )
        clip_id: str = camera["clips"][0]["clip_id"]
        return clip_id

    def receipt(self, bay: str, clip_id: str) -> Path:
        return self.machine.path(f"/run/bwc/mounts/{bay}/receipts/{clip_id}.receipt.json")

    def await_reading(self, bay: str, some: int = 1) -> dict[str, Any]:
        """The bay, once `some` bytes are read, with more to come."""
        return self.precinct.bay(bay, "reading", lambda said: said["bytes_done"] >= some)


def install(machine: Machine) -> Station:
    """`make install`, and what an administrator puts into /etc/bwc."""
    machine.make("install")
    world = worlds.make(machine.world, machine.port)
    etc = machine.path("/etc/bwc")
    for name, keys in (("dock", {"sign": DOCK}), ("policy", {"sign": "policy", "open": "policy"})):
        for use, owner in keys.items():
            shutil.copy(world.key(owner, use), etc / "credentials" / name / f"{use}.pem")
    shutil.copy(world.config / "trust.json", etc / "trust.json")
    shutil.copy(world.key("root", "sign", public=True), etc / "root.sign.pub.pem")
    shutil.copyfile(world.key(CAMERA, "sign"), machine.world / "camera.pem")
    tail = _TAIL.format(broker=world.broker)
    own = f'dock_id = "{DOCK}"\nmounts = "/run/bwc/mounts"\nvault = "/var/lib/bwc/vault"\n'
    (etc / "dock.toml").write_text(
        _HEAD.format(agency=AGENCY, name="dock") + own + tail + _INGEST + _METRICS.format(port=DOCK_METRICS)
    )
    own = 'open_key = "credential:policy_open.pem"\nregime = "portland-negotiated-2023"\n'
    (etc / "policy.toml").write_text(
        _HEAD.format(agency=AGENCY, name="policy") + own + tail + _METRICS.format(port=POLICY_METRICS)
    )
    board = f'agency = "{AGENCY}"\ndock_id = "{DOCK}"\nlisten = "127.0.0.1:{BOARD_PAGE}"\n'
    (etc / "board.toml").write_text(board + f'[broker]\nurl = "{world.broker}"\n')
    for unit in UNITS:
        override(machine, unit, "quick", _QUICK)
    return Station(machine, world)


def override(machine: Machine, unit: str, name: str, text: str | None) -> None:
    """A drop-in of ours until the next boot, as `systemctl edit --runtime` makes it; None takes it away."""
    path = machine.path(f"/run/systemd/system/{unit}.d/{name}.conf")
    path.parent.mkdir(parents=True, exist_ok=True)
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    machine.run("systemctl", "daemon-reload")


@contextmanager
def plugged_in(machine: Machine, mib: int = 64) -> Iterator[str]:
    """A camera's memory, an ext4 filesystem that is the dock's to write, on a loop device; its path inside."""
    image = machine.folder / f"camera-{len(list(machine.folder.glob('camera-*')))}"
    with image.open("wb") as file:
        file.truncate(mib << 20)
    owner = f"{machine.run('id', '-u', 'bwc-dock')}:{machine.run('id', '-g', 'bwc-dock')}"
    subprocess.run(["mkfs.ext4", "-q", "-E", f"root_owner={owner}", str(image)], check=True)
    found = subprocess.run(["losetup", "--find", "--show", str(image)], capture_output=True, text=True, check=True)
    device = found.stdout.strip()
    try:
        machine.run("mknod", "-m", "600", device, "b", "7", device.removeprefix("/dev/loop"))
        yield device
    finally:
        machine.run("rm", "-f", device, check=False)
        subprocess.run(["losetup", "--detach", device], check=True)
        image.unlink()


@contextmanager
def docked(machine: Machine, bay: str, mib: int = 64) -> Iterator[Callable[[], None]]:
    """A camera mounted on a bay as the udev rule has it mounted. Calling what it gives undocks it early."""
    helper = "/opt/bwc/lib/bwc/camera-mount"
    with plugged_in(machine, mib) as device:
        machine.run(helper, "mount", device, environment={"BWC_BAY": bay, "ID_FS_TYPE": "ext4"})
        try:
            yield lambda: print(machine.run(helper, "unmount", device))
        finally:
            machine.run(helper, "unmount", device)
