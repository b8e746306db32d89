"""A real MQTT 5 cluster: ejabberd's mod_mqtt, from the system's packages, three nodes on this machine.

It forgets a killed node's sessions, keeps what is retained on the node that it was published to, has no shared
subscriptions, and stays split after a partition until one side is restarted: all that a cluster may do to its clients.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from daemon.cli.demo.stage import free_port
from daemon.model.config import Broker
from tests.kit.patience import PATIENCE
from tests.kit.precinct import wait_until

_NODES = (1, 2, 3)
_COOKIE = "bwc"
_CONFIG = """\
hosts: [localhost]
auth_method: [anonymous]
anonymous_protocol: login_anon
allow_multiple_connections: true
listen:
  - port: {port}
    ip: "127.0.0.1"
    module: mod_mqtt
    backlog: 1000
    max_payload_size: 1048576
modules:
  mod_mqtt:
    max_queue: 100000
    session_expiry: 7 days
"""


def libraries() -> Path:
    """Where it is. Skips the test when it is not installed; in CI it must be."""
    found = next(iter(sorted(Path("/usr/lib").glob("*-linux-gnu/ejabberd-*"))), None)
    if found is None or shutil.which("erl") is None:
        assert not os.environ.get("CI"), "CI must have ejabberd"
        pytest.skip("ejabberd is not installed")
    return found.parent


class Cluster:
    """The nodes. A context manager: nothing outlives it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names_port = free_port()
        self._ports = {number: free_port() for number in _NODES}
        self._environment = os.environ | {
            "ERL_EPMD_PORT": str(self._names_port),
            "ERL_LIBS": str(libraries()),
            "HOME": str(folder),  # Erlang keeps a cookie there
        }
        self._names: subprocess.Popen[bytes] | None = None
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self.password = folder / "password"
        self.password.write_text("any\n")  # it asks for one, and takes whatever it is given

    def __enter__(self) -> Self:
        with (self._folder / "epmd.log").open("ab") as log:
            command = ["epmd", "-port", str(self._names_port), "-address", "127.0.0.1"]
            self._names = subprocess.Popen(command, stdout=log, stderr=log)
        for number in _NODES:
            self.start(number)
        for number in _NODES:
            self.await_up(number)
        for number in _NODES[1:]:
            self._tell(number, f"ok = ejabberd_cluster:join({_node(1)})")
            self.await_up(number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in list(self._running):
            self.kill(number)
        if self._names is not None:
            self._names.kill()
            self._names.wait()

    def broker(self, number: int, who: str, keepalive_seconds: int = 2) -> Broker:
        """How `who` reaches one node."""
        return Broker(
            url=f"mqtt://127.0.0.1:{self._ports[number]}",
            username=f"{who}@localhost",
            password_file=self.password,
            keepalive_seconds=keepalive_seconds,
        )

    # what happens to it

    def start(self, number: int) -> None:
        place = self._folder / f"node-{number}"
        place.mkdir(exist_ok=True)
        config = place / "ejabberd.yml"
        config.write_text(_CONFIG.format(port=self._ports[number]))
        its_own = {"EJABBERD_CONFIG_PATH": str(config), "EJABBERD_LOG_PATH": str(place / "ejabberd.log")}
        command = ["erl", "-noinput", "-sname", f"node{number}@localhost", *_DISTRIBUTED]
        command += ["-mnesia", "dir", f'"{place / "database"}"', "-s", "ejabberd"]
        with (place / "out.log").open("ab") as log:
            self._running[number] = subprocess.Popen(
                command, env=self._environment | its_own, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def await_up(self, number: int) -> None:
        """Until it serves."""

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self._ports[number])) == 0

        wait_until(listens, f"node {number}")

    def kill(self, number: int) -> None:
        process = self._running.pop(number)
        process.kill()
        process.wait()

    def part(self, one: int) -> None:
        """This node no longer finds the others, nor they it. It stays so until it is restarted."""
        for other in _NODES:
            if other != one and other in self._running:
                for here, there in ((one, other), (other, one)):
                    self._tell(
                        here, f"erlang:set_cookie({_node(there)}, parted), erlang:disconnect_node({_node(there)})"
                    )

    def meet(self, one: int) -> None:
        """They could find each other again. Brokers of this kind do not become one by that."""
        for other in _NODES:
            if other != one and other in self._running:
                for here, there in ((one, other), (other, one)):
                    self._tell(here, f"erlang:set_cookie({_node(there)}, {_COOKIE})")

    def _tell(self, number: int, expression: str) -> None:
        """Evaluates Erlang on a node. Raises AssertionError when that fails."""
        name = f"asks-{os.getpid()}@localhost"
        command = ["erl", "-noinput", "-hidden", "-sname", name, *_DISTRIBUTED, "-eval", _ASK]
        told = subprocess.run(
            [*command, "-extra", f"node{number}@localhost", f"{expression}."],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert told.returncode == 0, f"node {number}: {expression}: {told.stdout}{told.stderr}"


_ASK = """
[Node, Said] = init:get_plain_arguments(),
{ok, Tokens, _} = erl_scan:string(Said),
{ok, Parsed} = erl_parse:parse_exprs(Tokens),
case rpc:call(list_to_atom(Node), erl_eval, exprs, [Parsed, []], 30000) of
    {badrpc, Why} -> io:format("~p~n", [Why]), halt(1);
    _ -> halt(0)
end.
"""
_DISTRIBUTED = ("-setcookie", _COOKIE, "-start_epmd", "false", "-kernel", "inet_dist_use_interface", "{127,0,0,1}")


def _node(number: int) -> str:
    return f"'node{number}@localhost'"
