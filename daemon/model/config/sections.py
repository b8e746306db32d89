"""What configuration sections are made of: paths, addresses, and what all services share."""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
)

from daemon.model.errors import ConfigurationError


def _resolve(path: Path, info: ValidationInfo) -> Path:
    text = str(path)
    base = Path((info.context or {}).get("base", Path()))
    if text.startswith("credential:"):
        return _credential(text.removeprefix("credential:"), base)
    return base / path


def _credential(name: str, base: Path) -> Path:
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if directory:
        return Path(directory) / name
    service, _, file = name.partition("_")
    if not file:
        raise ValueError("names a credential, but $CREDENTIALS_DIRECTORY is not set")
    return base / "credentials" / service / file


def _loopback(listen: str) -> str:
    host, _, port = listen.rpartition(":")
    try:
        inside = ip_address(host.strip("[]")).is_loopback
    except ValueError:
        inside = False
    if not inside or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(
            f"{listen!r} is no address of this machine alone, such as 127.0.0.1:9464 or [::1]:9464: metrics are sent "
            "without encryption to whoever asks, so only programs on this machine may ask"
        )
    return listen


FilePath = Annotated[Path, AfterValidator(_resolve)]


Positive = Annotated[float, Field(gt=0, le=1e9)]


class Section(BaseModel):
    """Base of configuration sections: a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Broker(Section):
    """How to reach the MQTT 5 broker. `url` is mqtt://host[:port] or mqtts://host[:port]."""

    url: str
    ca: FilePath | None = None
    certificate: FilePath | None = None
    key: FilePath | None = None
    username: str | None = None
    password_file: FilePath | None = None
    keepalive_seconds: Annotated[int, Field(ge=2, le=3600)] = 20

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.url.startswith("mqtts://")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port. Raises ConfigurationError."""
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError as error:
            raise ConfigurationError(f"broker url {self.url!r}: {error}") from None
        if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
            raise ConfigurationError(f"broker url {self.url!r}: expected mqtt://host:port or mqtts://host:port")
        return parts.hostname, port or (8883 if parts.scheme == "mqtts" else 1883)


class Enrolment(Section):
    """The agency's trust attestation and the root key that signs it."""

    file: FilePath
    root: FilePath


class Metrics(Section):
    """Where Prometheus may read how things stand: a loopback address with a port, such as 127.0.0.1:9464."""

    listen: Annotated[str, AfterValidator(_loopback)] | None = None

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port; None when nobody may."""
        if self.listen is None:
            return None
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)
