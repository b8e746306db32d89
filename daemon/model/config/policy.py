"""`policy.toml`."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    Field,
    model_validator,
)

from daemon.model.config.sections import Broker, Enrolment, FilePath, Metrics, Positive, Section
from daemon.model.errors import ConfigurationError
from daemon.model.types import Id
from daemon.model.zones import AgencyZone, ZoneName, zone_named


class Retention(Section):
    """How long footage is kept, in days from the recording; the longest that applies counts.

    `minimum_days`: what the law asks for (Oregon: ORS 133.741); before that only a court's order disposes of a clip.
    `most_days`: what it allows without a court case (30 months). `categories`: what a clip may be labelled as, and for
    how long that keeps it. `dispose`: `report` only names what is due; `automatic` also orders its disposal, once chief
    and records have authorized the report and `notice_days` have passed since it was made.
    """

    minimum_days: Positive = 180.0
    days: Positive = 180.0
    most_days: Positive = 913.0
    by_trigger: dict[str, Positive] = Field(default_factory=dict)
    by_force: dict[str, Positive] = Field(default_factory=dict)
    categories: dict[Id, Positive] = Field(default_factory=dict)
    in_custody_death_days: Positive = 180.0
    notice_days: Annotated[float, Field(ge=0, le=3650)] = 14.0
    dispose: Literal["report", "automatic"] = "report"


class ClassificationRules(Section):
    """Who says that there was no force. `wearer`: their own signed declaration opens their clip to them, for `report`.

    It opens it to nobody else, and never against any other word.
    """

    no_force_by: Literal["supervisor", "wearer"] = "supervisor"


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
        """Whether it is a PostgreSQL server."""
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
    classification: ClassificationRules = ClassificationRules()
    retention: Retention = Retention()
    metrics: Metrics = Metrics()
    timezone: ZoneName | None = None
    log: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def zone(self) -> AgencyZone:
        """The agency's time zone; the machine's where none is named."""
        return zone_named(self.timezone)
