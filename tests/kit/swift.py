"""A real S3 server: OpenStack Swift with its S3 interface, from a virtual environment of its own, without memcached."""

from __future__ import annotations

import fcntl
import http.client
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from daemon.cli.demo.stage import free_port
from daemon.vault.replica.objects import Objects, open_objects
from tests.kit.patience import PATIENCE
from tests.kit.precinct import wait_until
from tests.kit.signed_requests import Account, kill_all, send

USER, SECRET = "test:tester", "testing"
_SERVERS = ("account", "container", "object", "proxy")
_FILTERS = ["catch_errors", "gatekeeper", "healthcheck", "listing_formats", "bulk", "s3api"]
_FILTERS += ["tempauth", "slo", "versioned_writes", "symlink"]


def install(folder: Path) -> Path:
    """Swift in `folder`, once; returns where its programs are. Its dependencies do not mix with the project's."""
    programs, done = folder / "bin", folder / "installed"
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two workers begin at the same time
        if not done.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, timeout=PATIENCE)
            subprocess.run([programs / "pip", "install", "--quiet", "swift>=2.36"], check=True, timeout=240)
            done.touch()
    return programs


class Swift:
    """One store in a directory of its own. It can be killed and started again, with what it has acknowledged."""

    def __init__(self, programs: Path, root: Path) -> None:
        self._programs, self._root = programs, root
        self._ports = {name: free_port() for name in _SERVERS}
        self._running: list[subprocess.Popen[bytes]] = []
        (root / "devices" / "d1").mkdir(parents=True)
        (root / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix=t\nswift_hash_path_prefix=t\n")
        for name in _SERVERS[:3]:
            self._make_ring(name)
            self._write(name, f"[pipeline:main]\npipeline={name}-server\n[app:{name}-server]\nuse=egg:swift#{name}\n")
        self._write("proxy", _proxy())

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._ports['proxy']}"

    @property
    def account(self) -> Account:
        return Account(self.endpoint, USER, SECRET, "us-east-1")

    @property
    def settings(self) -> str:
        """What a client must know, as a file of settings."""
        return self.account.settings

    def start(self) -> None:
        for name in _SERVERS:
            with (self._root / f"{name}.log").open("ab") as log:
                command = [str(self._programs / f"swift-{name}-server"), str(self._root / f"{name}.conf")]
                self._running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        for name, port in self._ports.items():
            wait_until(partial(_answers, port), f"swift's {name} server")

    def kill(self) -> None:
        """Every process of it, at once."""
        kill_all(self._running)

    def make_bucket(self, name: str) -> None:
        send(self.account, "PUT", f"/{name}")

    def objects(self, bucket: str, folder: Path, dock: str = "dock-1") -> Objects:
        """A dock's replica in a bucket, by a file of settings in `folder`."""
        return open_objects(f"s3://{bucket}/{dock}", self.settings_file(folder))

    def settings_file(self, folder: Path) -> Path:
        path = folder / "store.toml"
        path.write_text(self.settings)
        return path

    def _make_ring(self, name: str) -> None:
        builder = [str(self._programs / "swift-ring-builder"), str(self._root / f"{name}.builder")]
        device = f"r1z1-127.0.0.1:{self._ports[name]}/d1"
        for step in (["create", "4", "1", "0"], ["add", device, "1"], ["rebalance"]):
            subprocess.run([*builder, *step], check=True, capture_output=True, timeout=PATIENCE)

    def _write(self, name: str, more: str) -> None:
        own = {
            "bind_ip": "127.0.0.1",
            "bind_port": self._ports[name],
            "swift_dir": self._root,
            "devices": self._root / "devices",
            "user": os.environ.get("USER", "root"),
            "mount_check": "false",
            "workers": 0,
            "fallocate_reserve": 0,
            "log_address": "/nonexistent",
        }
        lines = "".join(f"{key}={value}\n" for key, value in own.items())
        (self._root / f"{name}.conf").write_text(f"[DEFAULT]\n{lines}{more}")


def _proxy() -> str:
    sections = "".join(f"[filter:{name}]\nuse=egg:swift#{name}\n" for name in _FILTERS)
    sections = sections.replace(
        "use=egg:swift#tempauth\n", f"use=egg:swift#tempauth\nuser_test_tester={SECRET} .admin\n"
    )
    versions = "use=egg:swift#versioned_writes\n"
    sections = sections.replace(versions, versions + "allow_object_versioning=true\n")
    pipeline = f"[pipeline:main]\npipeline={' '.join(_FILTERS)} proxy-server\n"
    return f"{pipeline}[app:proxy-server]\nuse=egg:swift#proxy\naccount_autocreate=true\n{sections}"


def _answers(port: int) -> bool:
    """Whether it speaks HTTP, whatever it says."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthcheck")
        return connection.getresponse().status > 0
    except OSError:
        return False
    finally:
        connection.close()
