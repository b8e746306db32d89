"""What the policy service answers to questions: unsigned pages of rows, and the rows of each kind of question."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from daemon.model.documents import Need, Standing
from daemon.model.statements import Because, Integrity
from daemon.model.times import Instant
from daemon.model.types import ClipId, Count, Digest, DispatchId, Document, Id, Seconds, Text


class QueryResult(Document):
    """One page of an answer. `page` counts from 1, and `last` marks the last one.

    `refused` says why there is no answer, and what would change that. `next`, on the last page, says that there is
    more: ask again with `after` set to it. `as_of` is the policy service's clock.
    """

    schema_: Annotated[Literal["bwc.result/1"], Field(alias="schema")] = "bwc.result/1"
    query_id: Id
    page: Annotated[int, Field(ge=1)]
    last: bool
    rows: tuple[dict[str, Any], ...] = ()
    next: Text | None = None
    refused: Text | None = None
    as_of: Instant


class ListedClip(Document):
    """A row of `clips`. Times are the camera's; `clock_skew_seconds` is how far its clock was ahead of the dock's.

    `recorded` is False without a capture that verifies: then nobody knows who recorded it, what triggered it or when,
    and the times are its intake's. `unclassified`: its incidents that nobody unconflicted has classified; `alone`: it
    has no incident, and nobody has classified it by itself. `clock_doubted`: its camera's clock was so far off that
    only a classification counts that names the clip. `conflict` says in words why whoever asks may not classify it.
    """

    clip_id: ClipId
    dock_id: Id
    officer_id: Id
    integrity: Integrity
    recorded: bool
    started_at: Instant
    triggered_at: Instant
    stopped_at: Instant
    trigger: Text
    clock_skew_seconds: Seconds
    standing: Standing
    unclassified: tuple[DispatchId, ...] = ()
    alone: bool = False
    clock_doubted: bool = False
    conflict: Text | None = None


class ListedWord(Document):
    """A row of `words`: one attestation. `withdrawn`: somebody entitled took it back.

    `conflict` says in words what makes its signer a party, so that it only closes. `trusted` is False when its signer's
    key is revoked for that time.
    """

    digest: Digest
    kind: Text
    signer: Id
    roles: tuple[Text, ...]
    received_at: Instant
    statement: dict[str, Any]
    withdrawn: bool
    trusted: bool
    conflict: Text | None = None


class SupposedDecision(Document):
    """The row of `decision`: what would be decided."""

    outcome: Literal["released", "refused"]
    because: tuple[Because, ...] = ()
    needs: tuple[Need, ...] = ()


class ReportPiece(Document):
    """A row of `disposal_report`: a part of the report's text. All of them in a row hash to `sha256`."""

    sha256: Digest
    made_at: Instant
    text: str


class PolicyStatus(Document):
    """How the policy service is. `said_at` is its clock when it said so: every 10 s while it is online.

    `docks`: up to which sequence each dock's notices are stored. `waiting`: messages that the broker has not taken yet.
    """

    schema_: Annotated[Literal["bwc.policy-status/1"], Field(alias="schema")] = "bwc.policy-status/1"
    state: Literal["online", "offline"]
    since: Instant
    said_at: Instant
    version: Text
    regime: Text = ""
    regime_sha256: Digest | None = None
    trust_version: Count = 0
    catching_up: bool = False
    open_requests: Count = 0
    live_orders: Count = 0
    overdue_clips: Count = 0
    waiting: Count = 0
    docks: dict[Id, Count] = Field(default_factory=dict)


QUERY_DOCUMENTS: dict[str, type[Document]] = {
    "result": QueryResult,
    "row.clips": ListedClip,
    "row.words": ListedWord,
    "row.decision": SupposedDecision,
    "row.disposal_report": ReportPiece,
    "policy-status": PolicyStatus,
}
"""Those that have a JSON Schema, by the schema file's name. `row.<what>` is a row of the answer to that question."""
