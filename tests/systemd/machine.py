"""A machine for tests: real systemd, booted in a container over this machine's own files. What it writes is forgotten.

The files are an overlay of / in a private mount namespace, the network is this machine's own. Nothing of what is
installed here starts by itself in there. Its udevd hears of every loop device of this kernel, so these tests share an
xdist group with those that cut the power of one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from daemon.cli.demo.stage import free_port
from tests.kit.patience import PATIENCE
from tests.kit.precinct import wait_until

SOURCE = Path(__file__).parents[2]
_PASSED_ON = ("PIP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT")
_BOOT = r"""
cd "$1"
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir disk
mount -t tmpfs -o size=2g tmpfs disk
mkdir disk/upper disk/work disk/root
mount -t overlay overlay -o lowerdir=/,upperdir=disk/upper,workdir=disk/work disk/root
rm -rf disk/root/etc/systemd/system/*.wants disk/root/run/* disk/root/opt/bwc disk/root/etc/bwc disk/root/var/lib/bwc
: >disk/root/etc/machine-id
ln -sf /usr/lib/systemd/system/multi-user.target disk/root/etc/systemd/system/default.target
exec env SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 setpriv --pdeathsig TERM \
    systemd-nspawn --quiet --boot --console=pipe --directory=disk/root --machine="$3" --register=no --keep-unit \
    --link-journal=no --resolv-conf=off --timezone=off --kill-signal=SIGRTMIN+4 --capability=CAP_NET_ADMIN \
    --bind-ro="$2:/source" --bind="$1/world:/world"
"""


def possible() -> None:
    """Skips the test where such a machine cannot be had; CI must be able to."""
    lacking = [] if os.geteuid() == 0 else ["root"]
    lacking += [
        name
        for name in ("systemd-nspawn", "udevadm", "mosquitto", "unshare", "nsenter", "mkfs.ext4")
        if shutil.which(name) is None
    ]
    if subprocess.run(["/usr/bin/python3", "-c", "import ensurepip"], capture_output=True).returncode != 0:
        lacking.append("python3-venv")
    if lacking:
        assert not os.environ.get("CI"), f"CI must have {lacking}"
        pytest.skip(f"booting systemd needs {', '.join(lacking)}")


class Machine:
    """One booted machine and, outside of it, the broker that its services talk to."""

    def __init__(self, folder: Path) -> None:
        """`folder` is seen as /world inside, the project as /source."""
        self.folder, self.world = folder, folder / "world"
        self.world.mkdir(parents=True)
        self.port = free_port()
        self.booted_in = 0.0
        self._name = f"bwc-test-{os.getpid()}"
        self._leader = 0
        self._processes: list[subprocess.Popen[bytes]] = []
        self._leftover: list[Path] = []

    def __enter__(self) -> Self:
        try:
            self._start_broker()
            self._boot()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def path(self, inside: str) -> Path:
        """A path of the machine's, as seen from here."""
        return Path(f"/proc/{self._leader}/root{inside}")

    def run(
        self, *command: str, check: bool = True, environment: dict[str, str] | None = None, result_alone: bool = False
    ) -> str:
        """A command inside, as root; what it says, or its result alone. Raises AssertionError when it fails."""
        ran = subprocess.run(
            [*self._inside(), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if result_alone else subprocess.STDOUT,
            text=True,
            timeout=240,
            env={"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_PAGER": "", "LANG": "C.UTF-8"}
            | (environment or {}),
        )
        said = ran.stdout + (ran.stderr or "")
        assert ran.returncode == 0 or not check, f"{command} ended with {ran.returncode}: {said}"
        return ran.stdout.strip()

    def make(self, target: str) -> str:
        """`make install` or `make uninstall`, with pip as it is configured here."""
        passed_on = {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}
        return self.run("make", "-C", "/source", target, environment={"HOME": str(Path.home()), **passed_on})

    def property(self, unit: str, name: str) -> str:
        """A unit's property, as `systemctl show` has it."""
        return self.run("systemctl", "show", "--value", f"--property={name}", unit)

    def pid(self, unit: str) -> str:
        """The service's main process, as numbered inside."""
        return self.property(unit, "MainPID")

    def await_property(self, unit: str, name: str, wanted: Callable[[str], bool], seconds: float = PATIENCE) -> str:
        found = ""

        def reached() -> bool:
            nonlocal found
            found = self.property(unit, name)
            return wanted(found)

        try:
            wait_until(reached, f"{name} of {unit}", seconds)
        except AssertionError:
            raise AssertionError(
                f"{name} of {unit} stayed {found!r}: {self.run('systemctl', 'status', unit)}"
            ) from None
        return found

    def journal(self, *matches: str) -> list[dict[str, Any]]:
        """Entries of the journal, oldest first."""
        self.run("journalctl", "--sync")
        said = self.run("journalctl", "--output=json", "--all", "--no-pager", *matches)
        return [json.loads(line) for line in said.splitlines() if line.startswith("{")]

    def _inside(self) -> list[str]:
        return ["nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-C", "--root", "--wd", "--"]

    def _start_broker(self) -> None:
        settings = self.folder / "mosquitto.conf"
        user = "user root\n" if os.geteuid() == 0 else ""
        settings.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n{user}")
        with (self.folder / "broker.log").open("wb") as log:
            self._processes.append(subprocess.Popen(["mosquitto", "-c", str(settings)], stdout=log, stderr=log))

    def _boot(self) -> None:
        begun = time.monotonic()
        groups = subprocess.run(["findmnt", "-nt", "cgroup2", "-o", "TARGET"], capture_output=True, text=True).stdout
        group = Path(groups.split()[0]) / self._name if groups else None
        if group is not None:
            group.mkdir(exist_ok=True)
        enter = f"echo $$ >{group}/cgroup.procs; " if group is not None else ""
        command = f"{enter}exec unshare --mount --propagation private sh -euc '{_BOOT}' boot \"$@\""
        with (self.folder / "console.log").open("wb") as log:
            container = subprocess.Popen(
                ["sh", "-c", command, "boot", str(self.folder), str(SOURCE), self._name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._processes.append(container)
        self._leftover = [Path("/run/systemd/nspawn/propagate") / self._name, *([group] if group is not None else [])]

        def booted() -> bool:
            assert container.poll() is None, (self.folder / "console.log").read_text(errors="replace")
            for child in Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text().split():
                self._leader = int(child)
                if self.run("systemctl", "is-active", "multi-user.target", check=False) == "active":
                    return True
            return False

        wait_until(booted, "multi-user.target", PATIENCE)
        self.booted_in = time.monotonic() - begun

    def _end(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for folder in self._leftover:
            subprocess.run(["find", str(folder), "-depth", "-type", "d", "-delete"], capture_output=True)
