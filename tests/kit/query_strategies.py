"""Hypothesis strategies for what the policy service answers to questions."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import strategies as hs

from daemon.model import query_results as res
from daemon.model import statements as st
from tests.kit.strategies import (
    DOCUMENTS,
    because,
    clip_ids,
    counts,
    digests,
    dispatch_ids,
    ids,
    instants,
    literal,
    texts,
)

_row = hs.dictionaries(texts, hs.booleans() | texts, max_size=2)
ANSWERS: dict[str, hs.SearchStrategy[Any]] = {
    "result": hs.builds(
        res.QueryResult,
        query_id=ids,
        page=hs.integers(1, 2**31),
        last=hs.booleans(),
        rows=hs.lists(_row, max_size=2).map(tuple),
        next=hs.none() | texts,
        refused=hs.none() | texts,
        as_of=instants,
    ),
    "row.clips": hs.builds(
        res.ListedClip,
        clip_id=clip_ids,
        dock_id=ids,
        officer_id=ids,
        integrity=literal(st.Integrity),
        recorded=hs.booleans(),
        started_at=instants,
        triggered_at=instants,
        stopped_at=instants,
        trigger=hs.sampled_from(get_args(st.Trigger)),
        clock_skew_seconds=hs.floats(-1e9, 1e9),
        standing=DOCUMENTS["standing"],
        unclassified=hs.lists(dispatch_ids, max_size=2).map(tuple),
        alone=hs.booleans(),
        clock_doubted=hs.booleans(),
        conflict=hs.none() | texts,
    ),
    "row.words": hs.builds(
        res.ListedWord,
        digest=digests,
        kind=ids,
        signer=ids,
        roles=hs.lists(ids, max_size=2).map(tuple),
        received_at=instants,
        statement=_row,
        withdrawn=hs.booleans(),
        trusted=hs.booleans(),
        conflict=hs.none() | texts,
    ),
    "row.decision": hs.builds(res.SupposedDecision, outcome=hs.sampled_from(["released", "refused"]), because=because),
    "row.disposal_report": hs.builds(res.ReportPiece, sha256=digests, made_at=instants, text=texts),
    "policy-status": hs.builds(
        res.PolicyStatus,
        state=hs.sampled_from(["online", "offline"]),
        since=instants,
        said_at=instants,
        version=texts,
        regime=texts,
        regime_sha256=hs.none() | digests,
        trust_version=counts,
        catching_up=hs.booleans(),
        docks=hs.dictionaries(ids, counts, max_size=2),
    ),
}
"""Valid documents, by the name of their schema file."""
