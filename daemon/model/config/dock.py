"""`dock.toml`."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    model_validator,
)

from daemon.model.config.sections import Broker, Enrolment, FilePath, Metrics, Positive, Section
from daemon.model.types import Id
from daemon.model.zones import AgencyZone, ZoneName, zone_named


def _object_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"s3", "az", "gs"} or not parts.netloc or parts.query or parts.username or parts.password:
        raise ValueError(f"{url!r}: expected s3://bucket/prefix, az://container/prefix or gs://bucket/prefix")
    return url.rstrip("/")


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
    """When a camera counts as on in time, and how long dispatch documents are kept.

    `excused_types`: types of call on which a camera need not be on.
    """

    grace_seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0
    keep_days: Annotated[float, Field(gt=0, le=36500)] = 30.0
    shift_hours: Annotated[float, Field(gt=0, le=168)] = 12.0
    excused_types: tuple[str, ...] = ()
    folder: FilePath | None = None


class Scrub(Section):
    """How the vault is read and checked again in the background: at most so many bytes a second, a round so often."""

    bytes_per_second: Positive = 20_000_000
    every_seconds: Positive = 86_400.0


class DisposalSettings(Section):
    """What the dock itself holds a disposal order against, by its own clock, unless a court has ordered it."""

    minimum_days: Positive = 180.0


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
    disposal: DisposalSettings = DisposalSettings()
    metrics: Metrics = Metrics()
    replica: ReplicaSettings | None = None
    timezone: ZoneName | None = None
    log: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def zone(self) -> AgencyZone:
        """The agency's time zone; the machine's where none is named."""
        return zone_named(self.timezone)

    @model_validator(mode="after")
    def _somewhere_to_replicate(self) -> Self:
        if self.ingest.receipt_when == "replicated" and self.replica is None:
            raise ValueError('ingest.receipt_when = "replicated" needs a [replica]: else no camera could ever erase')
        return self
