"""The shipped access list, in a real Mosquitto with the shipped configuration, tried by real clients with certificates.

Every user tries every topic, in both directions: what is written down below is allowed, and everything else denied.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from daemon.seal.envelope import LIMIT
from tests.broker.caller import NOT_AUTHORIZED, TAKEN, Caller
from tests.broker.conftest import AGENCY, OWNERS, Yard, make_yard, setup_broker

pytestmark = pytest.mark.xdist_group("acl")

ROOT = f"bwc/v1/{AGENCY}/"
DOCKS, PEOPLE = OWNERS["dock"], OWNERS["person"]
USERS = [(role, owner) for role, ids in OWNERS.items() for owner in ids]

_KINDS = ("request", "opened", "correction", "statement", "excusal", "withdrawal")
KNOWN = [
    *(f"dock/{dock}/{rest}" for dock in DOCKS for rest in ("status", "bay/b1", "clip/c", "checkpoint", "custody/7")),
    *(f"{kind}/{dock}/c" for kind in ("order", "standing") for dock in DOCKS),
    *(f"ack/{dock}" for dock in DOCKS),
    "cad/23-310001",
    "cad/PP%2023%2F310001",
    "cad/23/310001",
    *(f"attestation/{p}/{kind}/d" for p in PEOPLE for kind in _KINDS),
    *(f"{kind}/{person}/d" for kind in ("answer", "decision", "query") for person in PEOPLE),
    *(f"result/{person}/q/1" for person in PEOPLE),
    "policy/status",
]
"""Every topic of the contract, below the agency's root."""
UNKNOWN = [
    *(
        "dock/central-1",
        "dock/central-1/other",
        "dock/central-1/clip/c/more",
        "dock/51234/clip/c",
        "ack/central-1/more",
    ),
    *("attestation/51234", "attestation/51234/request", "attestation/99999/request/d", "order/central-1", "cad"),
    *("release/central-1/c", "../portland/cad/1", "dock//clip/c"),
]
"""Nobody's, and looking like somebody's."""
ELSEWHERE = ["bwc/v1/salem/cad/1", "bwc/v1/salem/dock/central-1/status", "bwc/v2/portland/cad/1", "any/topic", "$SYS/x"]

SAYS = {
    "dock": [
        "dock/{id}/status",
        "dock/{id}/bay/b1",
        "dock/{id}/clip/c",
        "dock/{id}/announcement/c",
        "dock/{id}/checkpoint",
        "dock/{id}/custody/7",
    ],
    "policy": [
        *("ack/*", "order/*/c", "answer/*/d", "decision/*/d", "standing/*/c", "result/*/q/1", "policy/status"),
    ],
    "person": ["attestation/{id}/*/d", "query/{id}/d"],
    "dispatch": ["cad/*"],
    "board": [],
    "witness": [],
}
HEARS = {
    "dock": [
        *("dock/{id}/status", "dock/{id}/bay/b1", "ack/{id}", "order/{id}/c", "cad/*"),
        *(f"attestation/*/{kind}/d" for kind in ("opened", "correction", "excusal", "withdrawal")),
    ],
    "policy": ["dock/*/announcement/c", "dock/*/clip/c", "attestation/*/*/d", "query/*/d"],
    "person": ["answer/{id}/d", "decision/{id}/d", "dock/*/clip/c", "result/{id}/q/1", "policy/status"],
    "dispatch": [],
    "board": [
        *("dock/*/status", "dock/*/bay/b1", "dock/*/clip/c", "dock/*/checkpoint", "standing/*/c", "policy/status"),
    ],
    "witness": ["dock/*/checkpoint", "dock/*/custody/7"],
}


def allowed(table: dict[str, list[str]], role: str, owner: str) -> set[str]:
    """The known topics that this user may publish to, or hear."""
    patterns = [pattern.format(id=owner) for pattern in table[role]]
    return {topic for topic in KNOWN if any(fnmatchcase(topic, pattern) for pattern in patterns)}


@pytest.mark.parametrize(("role", "owner"), USERS)
def test_says_what_it_may_and_nothing_else(yard: Yard, role: str, owner: str) -> None:
    may = allowed(SAYS, role, owner)
    with yard.caller(role, owner) as caller:
        for topic in [ROOT + name for name in (*KNOWN, *UNKNOWN)] + ELSEWHERE:
            expected = TAKEN if topic.removeprefix(ROOT) in may else {NOT_AUTHORIZED}
            assert caller.publish(topic) in expected, topic


def test_each_topic_has_one_role_that_says_it() -> None:
    """Otherwise the test of hearing below would leave a topic out."""
    for topic in KNOWN:
        assert len({user for user in USERS if topic in allowed(SAYS, *user)}) == 1, topic


@pytest.fixture
def speakers(yard: Yard) -> Iterator[dict[str, Caller]]:
    """Who may publish each known topic."""
    callers = {user: yard.caller(*user) for user in USERS}
    yield {topic: callers[user] for user in USERS for topic in allowed(SAYS, *user)}
    for caller in callers.values():
        caller.__exit__(None, None, None)


def say_all(speakers: dict[str, Caller], payload: bytes, *, retain: bool) -> None:
    for topic in KNOWN:
        assert speakers[topic].publish(ROOT + topic, payload, retain=retain) in TAKEN, topic


@pytest.mark.parametrize("wanted", [("#",), ("$share/ours/#",), tuple(ROOT + topic for topic in KNOWN)])
def test_hears_what_it_may_and_nothing_else(yard: Yard, speakers: dict[str, Caller], wanted: tuple[str, ...]) -> None:
    """Whatever is subscribed to: everything, a share of everything, or each topic by name."""
    listeners = {}
    for role, owner in USERS:
        topics = tuple(topic.replace("ours", f"{role}-{owner}") for topic in wanted)
        listeners[role, owner] = yard.caller(role, owner)
        listeners[role, owner].subscribe(*topics)
        listeners[role, owner].barrier()
        listeners[role, owner].heard.clear()  # what other tests left retained
    say_all(speakers, b"live", retain=False)
    for user, listener in listeners.items():
        with listener:
            listener.barrier()
            assert {topic for topic, _ in listener.heard} == {ROOT + topic for topic in allowed(HEARS, *user)}, user


@pytest.mark.parametrize(("role", "owner"), USERS)
def test_hears_of_what_is_retained_what_it_may(yard: Yard, speakers: dict[str, Caller], role: str, owner: str) -> None:
    say_all(speakers, b"retained", retain=True)
    with yard.caller(role, owner) as caller:
        caller.subscribe("#", "$SYS/#")
        caller.barrier()
        assert {topic for topic, _ in caller.heard} == {ROOT + topic for topic in allowed(HEARS, role, owner)}
    say_all(speakers, b"", retain=True)


def test_a_viewer_cannot_wipe_a_notice(yard: Yard) -> None:
    """An empty retained message takes a retained one away; nobody but the dock may."""
    topic = f"{ROOT}dock/central-1/clip/c"
    with yard.caller("dock", "central-1") as dock, yard.caller("person", "51234") as person:
        assert dock.publish(topic, b"notice", retain=True) in TAKEN
        assert person.publish(topic, b"", retain=True) == NOT_AUTHORIZED
        person.subscribe(topic)
        person.barrier()
        assert person.heard == [(topic, b"notice")]
        dock.publish(topic, b"", retain=True)


def test_a_last_will_is_no_way_round(yard: Yard) -> None:
    """The broker publishes it in the client's name, so it asks the access list then."""
    forged, own = f"{ROOT}order/central-1/c", f"{ROOT}dock/central-1/status"
    with yard.caller("dock", "central-1") as dock, yard.caller("board", "room") as board:
        dock.subscribe(forged)
        board.subscribe(own)
        yard.caller("person", "51234", will=forged).drop()
        yard.caller("dock", "central-1", will=own).drop()
        await_heard(board, (own, b"my last will"))
        dock.barrier()
        assert dock.heard == [], "the will left first is due first"
        dock.publish(own, b"", retain=True)


def await_heard(caller: Caller, message: tuple[str, bytes]) -> None:
    for _ in range(1000):
        if message in caller.heard:
            return
        caller.barrier()
    raise AssertionError(f"never heard {message}")


def test_a_user_name_is_what_the_certificate_says(yard: Yard) -> None:
    """Not what the client sends beside it."""
    policy = next(line for line in (yard.out / "broker" / "bwc.acl").read_text().splitlines() if "user policy:" in line)
    with yard.caller("person", "51234", username=policy.removeprefix("user ")) as person:
        assert person.publish(f"{ROOT}order/central-1/c") == NOT_AUTHORIZED
        assert person.publish(f"{ROOT}attestation/51234/request/d") in TAKEN


def test_a_session_taken_over_gives_nothing_away(yard: Yard) -> None:
    """What was queued for a dock's client id is not for whoever comes under it."""
    order, decision = f"{ROOT}order/central-1/c", f"{ROOT}decision/51234/d"
    with yard.caller("dock", "central-1", client_id="inbox", session=True) as dock:
        dock.subscribe(order, decision, qos=1)
    with yard.caller("policy", "policy") as policy:
        assert policy.publish(order, b"for the dock") in TAKEN
        with yard.caller("person", "51234", client_id="inbox", session=True) as thief:
            assert policy.publish(decision, b"for the person") in TAKEN
            await_heard(thief, (decision, b"for the person"))
            assert [topic for topic, _ in thief.heard] == [decision], "the session is there, the order is not"


def test_the_largest_document_fits_and_nothing_much_larger(yard: Yard) -> None:
    """With the longest topic there is; and clients are told the limit."""
    topic = f"{ROOT}attestation/51234/correction/{'d' * 64}"
    with yard.caller("person", "51234") as person:
        limit = person.properties.MaximumPacketSize
        assert person.publish(topic, bytes(LIMIT)) in TAKEN
        assert LIMIT < limit < LIMIT + 100_000
        person.publish_unanswered(topic, bytes(limit))
        person.await_end()


def test_a_refusal_does_not_end_the_connection(yard: Yard) -> None:
    """Else one message that is denied takes all others with it, again and again (Mosquitto 2.0.11 without a limit)."""
    with yard.caller("dock", "central-1") as dock:
        for _ in range(50):
            assert dock.publish(f"{ROOT}order/central-1/c") == NOT_AUTHORIZED
        assert dock.publish(f"{ROOT}dock/central-1/clip/c") in TAKEN


def test_who_leaves_the_agency_loses_everything_at_once(tmp_path: Path) -> None:
    """On a reload, on the connection that is open; and what they attested stays readable."""
    made = make_yard(tmp_path)
    mine, notices = f"{ROOT}attestation/51234/statement/d", f"{ROOT}dock/+/clip/+"
    with made.broker, made.caller("person", "51234") as person, made.caller("dock", "central-1") as dock:
        person.subscribe(notices)
        assert person.publish(mine, b"what I attest", retain=True) in TAKEN
        for end in ("pem", "key"):
            (made.out / "clients" / "person" / f"51234.{end}").unlink()
        setup_broker(made.out)
        made.broker.reload()
        assert person.publish(mine, b"and more") == NOT_AUTHORIZED
        assert dock.publish(f"{ROOT}dock/central-1/clip/c") in TAKEN
        person.barrier()
        assert person.heard == []
        setup_broker(made.out, "--person", "51234")
        made.broker.reload()
        assert person.publish(mine, b"and more") == NOT_AUTHORIZED, "the old certificate stays dead"
        with made.caller("person", "51234") as again:
            assert again.publish(f"{ROOT}attestation/51234/statement/e") in TAKEN
        with made.caller("policy", "policy") as policy:
            policy.subscribe(f"{ROOT}attestation/+/+/+")
            policy.barrier()
            assert policy.heard == [(mine, b"what I attest")]
