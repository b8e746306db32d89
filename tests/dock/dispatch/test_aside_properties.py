"""Whatever part of a document is set aside, an incident's clip never becomes one of no incident without saying so."""

from __future__ import annotations

import json
import sqlite3
from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.core.dispatch.activation import Clip
from daemon.dock.store.dispatch import DispatchStore
from daemon.model.errors import VerificationError
from tests.core.dispatch.calls import at, document

NOW = at("27:00")
CLIP = Clip("a", "A", at("21:10"), at("21:10"), at("21:50"))

hours = st.sampled_from(
    ["2023-11-28T08:00:00Z", "12:00", "20:30", "21:00", "21:05", "21:20", "21:30", "22:00", "26:00"]
)
units = st.tuples(
    st.sampled_from(["711", "712"]),
    st.sampled_from(["A", "A+B", "B", "-"]),
    st.sampled_from(["Dispatched", "OnScene", "Cleared"]),
    hours,
).map(" ".join)
lines = st.tuples(
    st.sampled_from(["I1: ", "I2: "]),
    st.lists(units, min_size=1, max_size=3).map("; ".join),
    st.sampled_from(["", "; merge REPLACED I1", "; merge REPLACING I2"]),
).map("".join)
JUNK = st.sampled_from([7, "", "\x00", [7], {"$ref": 7}, "x" * 1001, True])
UNIT_FIELDS = st.sampled_from(["$id", "lastUpdateTimeStamp", "agentReference", "secondaryUnitStatusRegistryText", None])


@st.composite
def told(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Documents, and the same with one part of one of them broken."""
    good = [document(line) for line in draw(st.lists(lines, min_size=1, max_size=4))]
    bad = deepcopy(good)
    one = draw(st.sampled_from(bad))
    junk = draw(JUNK)
    match draw(st.sampled_from(["unit", "unit", "unit", "incident", "header", "merge", "identifiers"])):
        case "unit":
            number = draw(st.integers(0, len(one["emergencyResourceComponent"]) - 1))
            field = draw(UNIT_FIELDS)
            nothing = junk == "" and field in {"agentReference", "secondaryUnitStatusRegistryText"}
            if field is None:  # an object without a status would say nothing
                one["emergencyResourceComponent"][number] = [] if isinstance(junk, dict) else junk
            elif not nothing:
                one["emergencyResourceComponent"][number][field] = junk
        case "incident":
            one["incidentComponent"][0] = junk
        case "header":
            one["lastUpdateTimeStamp"] = junk
        case "merge":
            one["mergeComponent"] = [junk]
        case _:
            one["$id"] = one["incidentComponent"][0]["$id"] = one["incidentComponent"][0]["internalIncidentId"] = junk
    return good, bad


def read(documents: list[dict[str, Any]]) -> tuple[bool, int]:
    """Whether the clip is of an incident, and how much a dock says is unclear about it."""
    store = DispatchStore(sqlite3.connect(":memory:", isolation_level=None))
    for one in documents:
        data = json.dumps(one).encode()
        try:
            store.add(data, NOW, "test")
        except VerificationError as error:
            store.set_aside(data, "test", NOW, str(error))
    new = store.drain_new()
    if new is not None:
        store.work_out(new, {"A", "B"})
    unclear = len(store.perhaps_theirs(CLIP)) + store.unclear.set_aside_between(CLIP.started_at, CLIP.stopped_at)
    return bool(store.of_officer("A", CLIP.started_at, CLIP.stopped_at)), unclear


@settings(max_examples=400, deadline=None)
@given(told())
def test_no_part_that_is_set_aside_takes_a_clip_out_of_its_incident_unsaid(
    documents: tuple[list[dict[str, Any]], list[dict[str, Any]]],
) -> None:
    (was_in_one, _), (is_in_one, unclear) = map(read, documents)
    assert is_in_one or not was_in_one or unclear > 0
