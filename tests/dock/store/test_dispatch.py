"""Dispatch documents in the dock's store: known once, worked out for those they concern, forgotten in time."""

from __future__ import annotations

import json
import random
import sqlite3
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.core.dispatch import eido, received
from daemon.core.dispatch.assignments import dispatched
from daemon.core.dispatch.eido_fields import EidoError
from daemon.core.dispatch.unclear import UnknownCrew
from daemon.dock.store.dispatch import DispatchStore
from device_sim.dispatch import center as dispatch
from tests.core.dispatch.calls import assignments

START = datetime(2023, 11, 29, 20, 0, tzinfo=UTC)


@pytest.fixture
def store() -> DispatchStore:
    return DispatchStore(sqlite3.connect(":memory:", isolation_level=None))


def document(
    incident: str, unit: str, officers: list[str], *statuses: tuple[str, int], kind: str | None = None, **more: Any
) -> bytes:
    """An EIDO document; statuses as (word, minutes after START)."""

    def at(minutes: int) -> str:
        return (START + timedelta(minutes=minutes)).isoformat()

    resources = [
        {
            "$id": f"{unit}@police.example",
            "agentReference": [{"$ref": f"{officer}@police.example"} for officer in officers],
            "secondaryUnitStatusRegistryText": [word],
            "lastUpdateTimeStamp": at(minutes),
        }
        for word, minutes in statuses
    ]
    incidents = [{"internalIncidentId": incident, "lastUpdateTimeStamp": at(max(m for _, m in statuses))}]
    if kind is not None:
        incidents[0]["incidentTypeCommonRegistryText"] = kind
    return json.dumps({"incidentComponent": incidents, "emergencyResourceComponent": resources, **more}).encode()


def merge(direction: str, other: str) -> dict[str, Any]:
    """That another incident was REPLACED by this one, is REPLACING it, or that this one was SPLIT from it."""
    tracking = f"urn:emergency:uid:incidentid:{other}:cad.example"
    return {"mergeComponent": {"incidentMergeDirectionCode": direction, "incidentTrackingIdentifier": tracking}}


def take(store: DispatchStore, data: bytes, cameras: set[str] = frozenset()) -> set[str] | None:  # type: ignore[assignment]
    store.add(data, START)
    news = store.drain_new()
    return None if news is None else store.work_out(news, cameras)


def spans(store: DispatchStore, officer: str) -> list[tuple[str, int, int | None]]:
    """(incident, dispatched, cleared) in minutes after START."""
    found = store.of_officer(officer, START - timedelta(days=1), START + timedelta(days=1))
    return [
        (
            one.incident_id,
            (one.dispatched_at - START).seconds // 60,
            (one.cleared_at - START).seconds // 60 if one.cleared_at else None,
        )
        for one in found
    ]


def test_a_document_is_known_once(store: DispatchStore) -> None:
    data = document("I-1", "711", ["51234"], ("Dispatched", 0))
    assert take(store, data) == {"51234"}
    assert take(store, data) is None


def test_history_is_gathered_from_successive_documents_in_any_order(store: DispatchStore) -> None:
    take(store, document("I-1", "711", ["51234"], ("Cleared", 30)))
    assert spans(store, "51234") == []
    assert take(store, document("I-1", "711", ["51234"], ("Dispatched", 0))) == {"51234"}
    assert spans(store, "51234") == [("I-1", 0, 30)]


def test_what_says_nothing_new_changes_nobody(store: DispatchStore) -> None:
    take(store, document("I-1", "711", ["51234"], ("Dispatched", 0), ("Cleared", 30)))
    assert take(store, document("I-1", "711", ["51234"], ("OnScene", 10))) == set()


def test_a_unit_without_agents_is_worked_out_again_when_another_call_names_them(store: DispatchStore) -> None:
    take(store, document("I-1", "711", [], ("Dispatched", 10), ("Cleared", 20)), {"51234"})
    assert spans(store, "51234") == []
    take(store, document("I-2", "711", ["51234"], ("Dispatched", 0), ("Cleared", 5)), {"51234"})
    assert spans(store, "51234") == [("I-2", 0, 5), ("I-1", 10, 20)]
    (by_unit,) = store.of_officer("51234", START + timedelta(minutes=10), START + timedelta(minutes=20))
    assert by_unit.matched_by == "unit"


@pytest.mark.parametrize(("named_at", "called_at", "elsewhere_at"), [(0, 10, 5), (0, 690, 630), (22 * 60, 11 * 60, 10)])
def test_a_call_is_nobodys_once_its_officer_was_seen_elsewhere(
    store: DispatchStore, named_at: int, called_at: int, elsewhere_at: int
) -> None:
    take(store, document("I-1", "711", [], ("Dispatched", called_at), ("Cleared", called_at + 5)), {"51234"})
    take(store, document("I-2", "711", ["51234"], ("Dispatched", named_at), ("Cleared", named_at + 1)), {"51234"})
    assert ("I-1", called_at, called_at + 5) in spans(store, "51234")
    take(store, document("I-3", "712", ["51234"], ("Dispatched", elsewhere_at)), {"51234"})
    assert "I-1" not in [incident for incident, _, _ in spans(store, "51234")]


def test_a_replaced_incident_ends_with_the_one_that_replaces_it(store: DispatchStore) -> None:
    take(store, document("I-1", "711", ["51234"], ("Dispatched", 0), **merge("REPLACING", "I-2")))
    take(store, document("I-2", "711", ["51234"], ("Dispatched", 5)))
    assert spans(store, "51234") == [("I-1", 0, None), ("I-2", 5, None)]
    take(store, document("I-2", "711", ["51234"], ("Cleared", 40)))
    assert spans(store, "51234") == [("I-1", 0, 40), ("I-2", 5, 40)]


@pytest.mark.parametrize("seed", range(5))
def test_however_many_at_once_they_say_what_all_of_them_say(seed: int) -> None:
    """By ones, or gathered: the assignments are those worked out from every document at once."""
    dice = random.Random(seed)
    incidents = dispatch.shift(40, seed, date(2023, 11, 29))
    sent = [json.dumps(one.document).encode() for one in dispatch.deliveries(incidents, seed, "portland")]
    dice.shuffle(sent)
    singly, together = (DispatchStore(sqlite3.connect(":memory:", isolation_level=None)) for _ in range(2))
    wearing = set(dispatch.officer_ids(12))
    waiting = 0
    for data in sent:
        take(singly, data, wearing)
        together.add(data, START)
        waiting = waiting or dice.randrange(1, 60)
        waiting -= 1
        news = together.drain_new() if waiting == 0 else None
        if news is not None:
            together.work_out(news, wearing)
    news = together.drain_new()
    if news is not None:
        together.work_out(news, wearing)
    day = (START - timedelta(days=1), START + timedelta(days=2))
    found = sorted(assignments(map(received.read, sent), wearing), key=repr)
    assert len(found) > 40
    assert sorted(singly.between(*day), key=repr) == found
    assert sorted(together.between(*day), key=repr) == found


lines = st.lists(
    st.tuples(
        st.sampled_from(["I1", "I2", "I3"]),
        st.sampled_from(["711", "712"]),
        st.lists(st.sampled_from(["A", "B"]), max_size=2, unique=True).map(sorted),
        st.lists(
            st.tuples(
                st.sampled_from(["Dispatched", "OnScene", "Cleared"]), st.sampled_from([0, 5, 60, 700, 760, 1400, 2100])
            ),
            min_size=1,
            max_size=3,
        ),
        st.sampled_from(["Theft", "Robbery"]),
        st.none()
        | st.tuples(st.sampled_from(["REPLACED", "REPLACING", "SPLIT"]), st.sampled_from(["I1", "I2", "t1", "t2"])),
        st.none() | st.sampled_from(["t1", "t2", "I1"]),
    ),
    max_size=8,
)


@settings(max_examples=200, deadline=None)
@given(lines, st.sets(st.sampled_from(["A", "B"])))
def test_whatever_comes_in_whatever_order_is_worked_out_from_everything(said: list[Any], cameras: set[str]) -> None:
    """Over days and changes of crew; `cameras` are known from the start, the others dock at the end."""
    store = DispatchStore(sqlite3.connect(":memory:", isolation_level=None))
    sent = []
    for incident, unit, officers, statuses, kind, merged, tracking in said:
        more = {} if merged is None else merge(*merged)
        if tracking is not None:
            more["$id"] = f"urn:emergency:uid:incidentid:{tracking}:cad.example"
        sent.append(document(incident, unit, officers, *statuses, kind=kind, **more))
        take(store, sent[-1], cameras)
    snapshots = [eido.parse(json.loads(data)) for data in sent]
    days = (START - timedelta(days=1), START + timedelta(days=9))
    assert sorted(store.between(*days), key=repr) == sorted(assignments(snapshots, cameras), key=repr)
    assert unknown(store) == sorted(dispatched(snapshots, cameras).unknown, key=repr)
    for officer in sorted({"A", "B"} - cameras):
        cameras = cameras | {officer}
        store.recompute_for_wearer(officer, cameras)
    assert sorted(store.between(*days), key=repr) == sorted(assignments(snapshots, cameras), key=repr)
    assert unknown(store) == sorted(dispatched(snapshots, cameras).unknown, key=repr)


def unknown(store: DispatchStore) -> list[UnknownCrew]:
    """Every call of unknown crew."""
    found = {call for day in range(-1, 9) for call in store.unclear.unknown_between(*two_days(day))}
    return sorted(found, key=repr)


def two_days(day: int) -> tuple[datetime, datetime]:
    return START + timedelta(days=day), START + timedelta(days=day + 2)


def test_an_unusable_document_is_refused_and_set_aside_once(store: DispatchStore) -> None:
    data = b'{"incidentComponent": [{"internalIncidentId": "a\\u0007", "lastUpdateTimeStamp": "2023-11-29T20:00:00Z"}]}'
    with pytest.raises(EidoError, match="internalIncidentId"):
        store.add(data, START)
    assert store.set_aside(data, "cad/a", START, "bad id")
    assert not store.set_aside(data, "cad/a", START, "bad id")
    assert store.unclear.set_aside_rows() == [("cad/a", "bad id")]


def test_parts_of_a_document_are_set_aside_once_and_forgotten_with_it(store: DispatchStore) -> None:
    good, bad = json.loads(document("I-1", "711", ["51234"], ("Dispatched", 0))), {"$id": "712"}
    bad["secondaryUnitStatusRegistryText"] = "Dispatched"
    good["emergencyResourceComponent"] += [bad, 7]
    data = json.dumps(good).encode()
    parts = store.add(data, START, "cad/I-1")
    assert [part.partition(":")[0] for part in parts] == [
        "emergencyResourceComponent[2]",
        "emergencyResourceComponent[1].lastUpdateTimeStamp",
    ]
    assert store.add(data, START, "cad/I-1") == ()
    assert store.unclear.set_aside_rows() == [("cad/I-1", part) for part in parts]
    store.prune(START + timedelta(days=1))
    assert store.unclear.set_aside_rows() == []


@pytest.mark.parametrize("order", [1, -1])
def test_an_incident_told_by_its_tracking_identifier_alone_is_the_agencys_own(store: DispatchStore, order: int) -> None:
    """One document has no incidentComponent, another no id of the agency's."""
    urn = "urn:emergency:uid:incidentid:a56e:cad.example"
    said = [json.loads(document("I-1", "711", ["51234"], (word, at), **{"$id": urn})) for word, at in STEPS]
    said[0]["lastUpdateTimeStamp"] = said[0].pop("incidentComponent")[0]["lastUpdateTimeStamp"]
    del said[1]["incidentComponent"][0]["internalIncidentId"]
    sent = [json.dumps(one).encode() for one in said][::order]
    for data in sent:
        take(store, data)
    assert spans(store, "51234") == [("I-1", 0, 30)]
    assert len(store.digests_of({"I-1"})) == 3


STEPS = (("Dispatched", 0), ("OnScene", 10), ("Cleared", 30))


def test_documents_are_forgotten_in_time(store: DispatchStore) -> None:
    old = document("I-1", "711", ["51234"], ("Dispatched", 0), ("Cleared", 30))
    take(store, old)
    store.set_aside(b"{", "file x", START, "no JSON")
    store.prune(START)
    assert spans(store, "51234") == [("I-1", 0, 30)]
    store.prune(START + timedelta(days=31))
    assert (spans(store, "51234"), store.unclear.set_aside_rows()) == ([], [])
    assert take(store, document("I-1", "711", ["51234"], ("Cleared", 31))) == set(), "what it said is forgotten as well"
    assert take(store, old) == {"51234"}, "forgotten, so it is new again"


def test_what_was_said_again_is_kept_as_long_as_the_newest_document_that_says_it(store: DispatchStore) -> None:
    first = document("I-1", "711", ["51234"], ("Dispatched", 0))
    take(store, first)
    store.add(document("I-1", "711", ["51234"], ("Dispatched", 0), ("OnScene", 5)), START + timedelta(days=3))
    store.prune(START + timedelta(days=2))
    assert store.digests_of({"I-1"}) != ()
    take(store, document("I-2", "711", ["51234"], ("Cleared", 20), **merge("REPLACED", "I-1")))
    assert spans(store, "51234") == [("I-1", 0, 20)]
    take(store, document("I-1", "711", ["51234"], ("Cleared", 30)))
    assert spans(store, "51234") == [("I-1", 0, 30)]
