"""Object lock, which only a store that has it can show: Ceph's radosgw, in the long run (`make test-long`).

    python -m tests.objects.ceph

A clip is replicated into a bucket with object lock and a default retention, is seen to be kept, cannot be removed
before its time whoever asks, and a disposal says until when the store keeps it. A bucket without it is refused.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.cli.demo.stage import free_port
from tests import agency
from tests.agency import CLIP
from tests.hostile.house import House, open_house
from tests.objects.signed import Account, send
from tests.system.precinct import wait_until

_NEEDED = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph-authtool", "monmaptool", "ceph")
KEY, SECRET = "testkey", "testsecret"
DAYS = 2


def why_not() -> str | None:
    """Why it cannot run here; None when it can."""
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)} (apt install radosgw ceph-mon ceph-osd)" if missing else None


class Ceph:
    """One monitor, one disk, one gateway, in a directory."""

    def __init__(self, root: Path) -> None:
        self._root, self._conf = root, root / "ceph.conf"
        self._running: list[subprocess.Popen[bytes]] = []
        gateway, monitor = free_port(), free_port()
        self.endpoint = f"http://127.0.0.1:{gateway}"
        for name in ("mon", "osd", "log", "run"):
            (root / name).mkdir()
        self._conf.write_text(_settings(root, gateway, monitor))
        address = f"[v2:127.0.0.1:{monitor}]"
        keyring, fsid = root / "keyring", str(uuid.uuid4())
        self._conf.write_text(self._conf.read_text().replace("FSID", fsid))
        self._do("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        for who in ("client.admin", "client.rgw", "osd.0"):
            caps = [word for part in ("mon", "osd", "mgr") for word in ("--cap", part, "allow *")]
            self._do("ceph-authtool", keyring, "--gen-key", "-n", who, *caps)
        self._do("monmaptool", "--create", "--addv", "a", address, "--fsid", fsid, root / "monmap")
        self._do("ceph-mon", "--mkfs", "-i", "a", "--monmap", root / "monmap", "--keyring", keyring)

    def start(self) -> None:
        self._run("ceph-mon", "-i", "a", "-f")
        disk = str(uuid.uuid4())
        self._do("ceph", "osd", "new", disk)
        self._do("ceph", "osd", "crush", "add", "osd.0", "1", "root=default", "host=h")
        self._do("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk)
        self._run("ceph-osd", "-i", "0", "-f")
        user = ("user", "create", "--uid=test", "--display-name=test", f"--access-key={KEY}", f"--secret-key={SECRET}")
        self._do("radosgw-admin", "-n", "client.rgw", *user)
        self._run("radosgw", "-n", "client.rgw", "-f")
        wait_until(self._answers, "the gateway", 120)

    def stop(self) -> None:
        for process in self._running:
            process.kill()
        for process in self._running:
            process.wait()

    @property
    def account(self) -> Account:
        return Account(self.endpoint, KEY, SECRET)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.endpoint, timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _do(self, *command: object) -> str:
        words = [str(word) for word in command]
        tool = words[0] not in {"ceph-authtool", "monmaptool"}
        ran = subprocess.run(
            [words[0], *(["-c", str(self._conf)] if tool else []), *words[1:]],
            env=os.environ | {"CEPH_CONF": str(self._conf)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ran.returncode == 0, f"{' '.join(words)}: {ran.stderr[-1000:]}"
        return ran.stdout

    def _run(self, *command: str) -> None:
        with (self._root / "log" / f"{command[0]}.out").open("ab") as log:
            words = [command[0], "-c", str(self._conf), *command[1:]]
            self._running.append(subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log))


def _settings(root: Path, gateway: int, monitor: int) -> str:
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
[client.rgw]
rgw frontends=beast endpoint=127.0.0.1:{gateway}
rgw thread pool size=32
rgw enable usage log=false
rgw data={root}
"""


@contextmanager
def running() -> Iterator[Ceph]:
    root = Path(tempfile.mkdtemp(prefix="bwc-ceph-", dir="/tmp"))  # a short path: sockets lie in it
    try:
        ceph = Ceph(root)
        try:
            ceph.start()
            yield ceph
        finally:
            ceph.stop()
    finally:
        shutil.rmtree(root)


@contextmanager
def housed(root: Path, ceph: Ceph, bucket: str) -> Iterator[House]:
    settings = root / "store.toml"
    settings.write_text(
        f'endpoint = "{ceph.endpoint}"\nregion = "default"\naccess_key_id = "{KEY}"\nsecret_access_key = "{SECRET}"\n'
    )
    replica = {"url": f"s3://{bucket}", "credentials": str(settings), "retention_days": DAYS, "retry_seconds": 0.001}
    with open_house(root / bucket, replica=replica, receipt_when="replicated") as house:
        house.clock.turn(seconds=(datetime.now(UTC) - house.clock.now()).total_seconds())  # the store has the real one
        house.acknowledge()
        house.record(CLIP, b"footage" * 1000)
        house.look(3)
        yield house


def rounds(house: House) -> None:
    assert house.service._replicator is not None
    for _ in range(4):
        house.service._replicator.round()


def run() -> dict[str, Any]:
    """What was seen. Raises AssertionError."""
    problem = why_not()
    if problem is not None:
        return {"object_lock": 0, "left_out": problem}
    with running() as ceph, tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        send(ceph.account, "PUT", "/plain")
        send(ceph.account, "PUT", "/locked", headers={"x-amz-bucket-object-lock-enabled": "true"})
        rule = f"<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>{DAYS}</Days></DefaultRetention></Rule>"
        lock = (
            f"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{rule}</ObjectLockConfiguration>"
        )
        send(ceph.account, "PUT", "/locked?object-lock=", lock.encode())
        with housed(root, ceph, "plain") as house:
            rounds(house)
            assert house.custody("replicated") == [], "a bucket that locks nothing is refused"
        with housed(root, ceph, "locked") as house:
            rounds(house)
            [entry] = house.custody("replicated")
            objects, key = house.dock.objects, entry["detail"]["key"]
            assert objects is not None
            kept = objects.kept(key)
            assert kept.until is not None and kept.until > datetime.now(UTC) + timedelta(days=DAYS - 0.1)
            assert kept.versions
            path = f"/locked/dock-1/{key}"
            version = send(ceph.account, "HEAD", path).headers["x-amz-version-id"]
            try:
                send(ceph.account, "DELETE", f"{path}?versionId={version}")
                raise AssertionError("what is locked was removed")
            except urllib.error.HTTPError as refused:
                assert refused.code == 403
            row = house.dock.store.clip(CLIP)
            assert row is not None
            order = agency.statement("disposal", clip_id=CLIP, clip_sha256=row.clip_sha256)
            house.hear(house.dock.topics.order("dock-1", CLIP), agency.signed(order, "policy").to_bytes())
            rounds(house)
            [removed] = house.custody("removed")
            assert removed["detail"]["old_versions"] == "left to the store"
            assert datetime.fromisoformat(removed["detail"]["kept_until"]) > datetime.now(UTC)
    return {"object_lock": 1}


if __name__ == "__main__":
    print(json.dumps(run()))
