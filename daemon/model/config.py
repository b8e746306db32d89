"""Configuration files: `dock.toml`, `policy.toml`, and the client's part that both share.

Relative paths are relative to the file they stand in; a `credential:NAME` path is a file systemd passed in
(`$CREDENTIALS_DIRECTORY/NAME`). Our units pass in folders, `credentials/dock/sign.pem` as `dock_sign.pem`: there
commands look that run without systemd, as root.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from datetime import time
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from daemon.model.errors import ConfigurationError
from daemon.model.parse import explain
from daemon.model.types import Id


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


def _object_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"s3", "az", "gs"} or not parts.netloc or parts.query or parts.username or parts.password:
        raise ValueError(f"{url!r}: expected s3://bucket/prefix, az://container/prefix or gs://bucket/prefix")
    return url.rstrip("/")


FilePath = Annotated[Path, AfterValidator(_resolve)]
Positive = Annotated[float, Field(gt=0, le=1e9)]


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


class Ingest(Section):
    """How clips are taken in. Durations in seconds, sizes in bytes."""

    plain_directories: bool = False
    scan_seconds: Positive = 1.0
    settle_seconds: Annotated[float, Field(ge=0, le=60)] = 0.1
    orphan_seconds: Positive = 600.0
    hang_seconds: Positive = 30.0
    reserve_bytes: Annotated[int, Field(ge=0, le=1 << 50)] = 1 << 30
    max_clip_bytes: Annotated[int, Field(gt=0, le=1 << 50)] = 64 << 30
    max_clips: Annotated[int, Field(gt=0, le=1_000_000)] = 50_000
    max_skew_seconds: Annotated[float, Field(ge=0)] = 300.0
    erase: Literal["receipt", "dock", "never"] = "receipt"
    erase_after_seconds: Annotated[float, Field(ge=0)] = 0.0
    readers: Annotated[int, Field(ge=1, le=64)] = 4
    camera_bytes_per_second: Annotated[float, Field(ge=0, le=1e12)] = 0.0
    night_bytes_per_second: Annotated[float, Field(ge=0, le=1e12)] = 0.0
    night_from: time = time(22, 0)
    night_to: time = time(6, 0)
    receipt_when: Literal["sealed", "replicated"] = "sealed"


class ReplicaSettings(Section):
    """Object storage that holds a copy of the vault. Sizes in bytes; 0 means no limit, or for `spool_bytes` keep all.

    `retention_days`: the store must be seen to keep each sealed clip that long. `retry_seconds`: the longest pause
    before a store that does not answer is asked again. `gather_seconds`: what comes to be said of a clip that the store
    holds waits so long for more of it.
    """

    url: Annotated[str, AfterValidator(_object_url)]
    endpoint: str | None = None
    region: str | None = None
    credentials: FilePath | None = None
    ca: FilePath | None = None
    spool_bytes: Annotated[int, Field(ge=0, le=1 << 60)] = 0
    retention_days: Annotated[float, Field(ge=0, le=36500)] = 0.0
    bytes_per_second: Annotated[float, Field(ge=0, le=1e12)] = 0.0
    retry_seconds: Positive = 60.0
    gather_seconds: Annotated[float, Field(ge=0, le=3600)] = 30.0

    @model_validator(mode="after")
    def _only_where_it_can_be_read(self) -> Self:
        if self.retention_days and not self.url.startswith("s3://"):
            raise ValueError(
                "retention_days: of object storage only that of s3:// can be read back as object lock; leave it out"
            )
        return self


class ActivationSettings(Section):
    """When a camera counts as on in time, and how long dispatch documents are kept."""

    grace_seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0
    keep_days: Annotated[float, Field(gt=0, le=36500)] = 30.0
    shift_hours: Annotated[float, Field(gt=0, le=168)] = 12.0
    folder: FilePath | None = None


class Scrub(Section):
    """How the vault is read and checked again in the background: at most so many bytes a second, a round so often."""

    bytes_per_second: Positive = 20_000_000
    every_seconds: Positive = 86_400.0


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


class DockConfig(Section):
    """`dock.toml`."""

    agency: Id
    dock_id: Id
    mounts: FilePath
    vault: FilePath
    state: FilePath
    sign_key: FilePath
    trust: Enrolment
    broker: Broker
    ingest: Ingest = Ingest()
    activation: ActivationSettings = ActivationSettings()
    scrub: Scrub = Scrub()
    metrics: Metrics = Metrics()
    replica: ReplicaSettings | None = None
    log: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="after")
    def _somewhere_to_replicate(self) -> Self:
        if self.ingest.receipt_when == "replicated" and self.replica is None:
            raise ValueError('ingest.receipt_when = "replicated" needs a [replica]: else no camera could ever erase')
        return self


class Retention(Section):
    """How long footage is kept, in days from the recording; the longest that applies counts.

    `dispose`: `report` only names what is due, `automatic` also orders its disposal `notice_days` after the report.
    """

    days: Positive = 180.0
    by_trigger: dict[str, Positive] = {}
    by_force: dict[str, Positive] = {}
    in_custody_death_days: Positive = 180.0
    notice_days: Annotated[float, Field(ge=0, le=3650)] = 14.0
    dispose: Literal["report", "automatic"] = "report"


class PolicyStore(Section):
    """Where the policy service keeps what it knows: `sqlite`, a file in its `state`, or a PostgreSQL server.

    Passwords stand in a file of their own, `password_file` or libpq's.
    """

    url: str = "sqlite"
    password_file: FilePath | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.url != "sqlite" and not self.url.startswith(("postgresql://", "postgres://")):
            raise ValueError(f"url {self.url!r}: expected sqlite, or postgresql://user@host/database")
        if urlsplit(self.url).password is not None or "password" in parse_qs(urlsplit(self.url).query):
            raise ValueError("url: holds a password; put it into a file, and name that in password_file")
        return self

    @property
    def postgres(self) -> bool:
        return self.url != "sqlite"

    @property
    def password(self) -> str | None:
        """What the file holds. Raises ConfigurationError."""
        if self.password_file is None:
            return None
        try:
            return self.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"store password_file {self.password_file}: {error}") from None


class PolicyConfig(Section):
    """`policy.toml`."""

    agency: Id
    state: FilePath
    sign_key: FilePath
    open_key: FilePath
    trust: Enrolment
    broker: Broker
    regime: str = "portland-negotiated-2023"
    order_days: Annotated[float, Field(gt=0, le=3650)] = 7.0
    open_request_days: Annotated[float, Field(gt=0, le=365)] = 14.0
    max_skew_seconds: Annotated[float, Field(ge=0)] = 300.0
    store: PolicyStore = PolicyStore()
    retention: Retention = Retention()
    metrics: Metrics = Metrics()
    log: Literal["debug", "info", "warning", "error"] = "info"


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


C = TypeVar("C", bound=Section)


def load_config(model: type[C], path: Path) -> C:
    """The configuration in a TOML file. Raises ConfigurationError naming the file and every bad key."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not valid TOML ({error})") from None
    return check_config(model, data, base=path.parent, what=str(path))


def check_config(model: type[C], data: dict[str, Any], *, base: Path, what: str) -> C:
    """`data` as `model`, relative paths below `base`. Raises ConfigurationError."""
    try:
        return model.model_validate(data, context={"base": base})
    except ValidationError as error:
        raise ConfigurationError(f"{what}: {explain(error)}") from None
