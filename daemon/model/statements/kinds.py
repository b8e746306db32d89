"""Every kind of statement by its name."""

from __future__ import annotations

from daemon.model.statements.devices import Capture, Receipt, Seal, Tag
from daemon.model.statements.enrolment import TrustStatement
from daemon.model.statements.people import BY_PEOPLE
from daemon.model.statements.policy import Acknowledgement, Disposal, Release, Revocation
from daemon.model.statements.queries import Query
from daemon.model.statements.words import Statement

_ALL: tuple[type[Statement], ...] = (
    TrustStatement,
    Capture,
    Seal,
    Tag,
    Receipt,
    *BY_PEOPLE,
    Query,
    Release,
    Revocation,
    Disposal,
    Acknowledgement,
)


KINDS: dict[str, type[Statement]] = {statement.kind: statement for statement in _ALL}
