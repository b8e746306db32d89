"""`board.toml`."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    model_validator,
)

from daemon.model.config.sections import Broker, FilePath, Section
from daemon.model.types import Id

_HEADER = r"^[A-Za-z0-9-]{1,64}$"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address; a name other than localhost is taken for a foreign one."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(value: object) -> object:
    """`127.0.0.1:8460` or `[::1]:8460` as host and port."""
    if not isinstance(value, str):
        return value
    host, _, port = value.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise ValueError("expected HOST:PORT, as in 127.0.0.1:8460")
    return host.strip("[]"), int(port)


Listen = Annotated[tuple[str, int], BeforeValidator(_listen)]


class BoardTls(Section):
    """The board's own certificate, and the authority whose certificate whoever connects must show (the proxy's)."""

    certificate: FilePath
    key: FilePath
    client_ca: FilePath


class Login(Section):
    """Headers in which a reverse proxy says who has logged in. `supervisors` are groups that see more than the bays."""

    user_header: Annotated[str, Field(pattern=_HEADER)] = "X-Forwarded-User"
    groups_header: Annotated[str, Field(pattern=_HEADER)] = "X-Forwarded-Groups"
    supervisors: Annotated[tuple[str, ...], Field(min_length=1)]


class BoardConfig(Section):
    """`board.toml`. `dock_id` is the dock whose room the screen hangs in; without it the screen shows all docks."""

    agency: Id
    dock_id: Id | None = None
    listen: Listen = ("127.0.0.1", 8460)
    hosts: tuple[str, ...] = ()
    vault: FilePath | None = None
    broker: Broker
    tls: BoardTls | None = None
    login: Login | None = None
    log: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="after")
    def _nobody_unknown(self) -> Self:
        host, _ = self.listen
        if not is_loopback(host) and (self.tls is None or self.login is None):
            raise ValueError(
                f"listen {host}: beyond loopback the board needs [tls] and [login], so that only a proxy that has "
                "logged somebody in reaches it; or listen on 127.0.0.1"
            )
        return self
