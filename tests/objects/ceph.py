"""A real S3 server with object lock: Ceph's radosgw, from the system's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from daemon.cli.demo.stage import free_port
from daemon.seal.tls_certificates import Authority
from tests.kit.patience import PATIENCE
from tests.kit.precinct import wait_until
from tests.kit.signed_requests import Account, kill_all

_NEEDED = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph-authtool", "monmaptool", "ceph")
KEY, SECRET = "testkey", "testsecret"


def why_not() -> str | None:
    """Why it cannot run here; None when it can."""
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)} (apt install radosgw ceph-mon ceph-osd)" if missing else None


@dataclass(frozen=True)
class Host:
    """Where a store runs: an address, and what makes a command one that runs there."""

    address: str
    inside: Callable[..., list[str]]


HERE = Host("127.0.0.1", lambda *command: list(command))


class Ceph:
    """One monitor, one disk, one gateway, in a directory. They can be killed and started again, with what they hold.

    Beyond this machine the gateway speaks TLS.
    """

    def __init__(self, root: Path, host: Host = HERE) -> None:
        self._root, self._host, self._conf = root, host, root / "ceph.conf"
        self._running: list[subprocess.Popen[bytes]] = []
        gateway, monitor = free_port(), free_port()
        self._authority = None if host == HERE else Authority.make("object store", datetime.now(UTC))
        self.endpoint = f"{'https' if self._authority else 'http'}://{host.address}:{gateway}"
        for name in ("mon", "osd", "log", "run"):
            (root / name).mkdir()
        self._conf.write_text(_settings(root, self._frontend(gateway), monitor))
        address = f"[v2:127.0.0.1:{monitor}]"
        keyring, fsid = root / "keyring", str(uuid.uuid4())
        self._conf.write_text(self._conf.read_text().replace("FSID", fsid))
        self._do("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        for who in ("client.admin", "client.rgw", "osd.0"):
            caps = [word for part in ("mon", "osd", "mgr") for word in ("--cap", part, "allow *")]
            self._do("ceph-authtool", keyring, "--gen-key", "-n", who, *caps)
        self._do("monmaptool", "--create", "--addv", "a", address, "--fsid", fsid, root / "monmap")
        self._do("ceph-mon", "--mkfs", "-i", "a", "--monmap", root / "monmap", "--keyring", keyring)

    def make(self) -> None:
        """A disk and an account, and starts."""
        self._run("ceph-mon", "-i", "a", "-f")
        disk = str(uuid.uuid4())
        self._do("ceph", "osd", "new", disk)
        self._do("ceph", "osd", "crush", "add", "osd.0", "1", "root=default", "host=h")
        self._do("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk)
        self._run("ceph-osd", "-i", "0", "-f")
        user = ("user", "create", "--uid=test", "--display-name=test", f"--access-key={KEY}", f"--secret-key={SECRET}")
        self._do("radosgw-admin", "-n", "client.rgw", *user)
        self._serve()

    def restart(self) -> None:
        """After `kill`."""
        self._run("ceph-mon", "-i", "a", "-f")
        self._run("ceph-osd", "-i", "0", "-f")
        self._serve()

    def kill(self) -> None:
        kill_all(self._running)

    @property
    def account(self) -> Account:
        return Account(self.endpoint, KEY, SECRET, authority=self.authority)

    @property
    def authority(self) -> bytes | None:
        """The certificate by which it is known, PEM; None where it speaks without TLS."""
        return self._authority.to_pem().certificate if self._authority else None

    def _frontend(self, gateway: int) -> str:
        where = f"{self._host.address}:{gateway}"
        if self._authority is None:
            return f"beast endpoint={where}"
        issued = self._authority.server([self._host.address], datetime.now(UTC))
        certificate, key = self._root / "server.pem", self._root / "server.key"
        certificate.write_bytes(issued.certificate)
        key.write_bytes(issued.key)
        return f"beast ssl_endpoint={where} ssl_certificate={certificate} ssl_private_key={key}"

    def _serve(self) -> None:
        self._run("radosgw", "-n", "client.rgw", "-f")
        wait_until(self._answers, "the gateway", 120)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.endpoint, timeout=5, context=self.account.context) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _do(self, *command: object) -> str:
        words = [str(word) for word in command]
        tool = words[0] not in {"ceph-authtool", "monmaptool"}
        ran = subprocess.run(
            self._host.inside(words[0], *(["-c", str(self._conf)] if tool else []), *words[1:]),
            env=os.environ | {"CEPH_CONF": str(self._conf)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert ran.returncode == 0, f"{' '.join(words)}: {ran.stderr[-1000:]}"
        return ran.stdout

    def _run(self, *command: str) -> None:
        with (self._root / "log" / f"{command[0]}.out").open("ab") as log:
            words = [command[0], "-c", str(self._conf), *command[1:]]
            words = self._host.inside(*words)
            self._running.append(subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log))


_QUIET = "".join(
    f"debug {part}=0/0\n" for part in ("ms", "mon", "osd", "rgw", "objecter", "bluestore", "bluefs", "rocksdb", "monc")
)


def _settings(root: Path, frontend: str, monitor: int) -> str:
    return f"""[global]
fsid=FSID
mon host=[v2:127.0.0.1:{monitor}]
ms bind ipv4=true
ms bind msgr1=false
public network=127.0.0.0/8
auth cluster required=cephx
auth service required=cephx
auth client required=cephx
osd pool default size=1
osd pool default min size=1
osd pool default pg num=1
osd pool default pgp num=1
osd pool default pg autoscale mode=off
mon allow pool size one=true
osd crush chooseleaf type=0
log file={root}/log/$name.log
admin socket={root}/run/$name.asok
pid file={root}/run/$name.pid
run dir={root}/run
crash dir={root}/run
keyring={root}/keyring
mon data={root}/mon
osd data={root}/osd
osd objectstore=bluestore
bluestore block size=20G
bluestore block create=true
bluestore fsck quick fix on mount=false
bdev enable discard=false
osd memory target=1073741824
mon data avail crit=1
mon data avail warn=2
mon max pg per osd=500
{_QUIET}[client.rgw]
rgw frontends={frontend}
rgw thread pool size=32
rgw enable usage log=false
rgw data={root}
"""


@contextmanager
def running(host: Host = HERE) -> Iterator[Ceph]:
    root = Path(tempfile.mkdtemp(prefix="bwc-ceph-", dir="/tmp"))  # a short path: sockets lie in it
    try:
        ceph = Ceph(root, host)
        try:
            ceph.make()
            yield ceph
        finally:
            ceph.kill()
    finally:
        shutil.rmtree(root)
