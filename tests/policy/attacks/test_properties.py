"""What holds of every sequence of words: whoever is conflicted closes and never opens, in whatever order they come."""

from __future__ import annotations

import itertools
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as hs

from daemon.model import statements as st
from daemon.model.documents import Need
from daemon.policy.cases.clip_case import Case
from daemon.policy.cases.rulings import GroundedRuling, ruling_on
from daemon.policy.testimony.parties import Parties
from tests.kit import agency
from tests.policy.attacks.scene import Scene, clip_id, staged

NOW = agency.NOW
CLIP, OTHER = clip_id("c1"), clip_id("c2")
PEOPLE = ("officer", "sergeant", "supervisor", "affairs", "chief", "records", "detective", "clerk")
SIGNERS = ("sergeant", "supervisor", "affairs", "chief", "records", "clerk")
QUESTIONS = (
    ("officer", "report"),
    ("sergeant", "report"),
    ("supervisor", "supervision"),
    ("affairs", "investigation"),
    ("detective", "investigation"),
    ("clerk", "court"),
    ("chief", "report"),
)
Said = tuple[st.Statement, str]
incidents = hs.sampled_from(["I1", "I2"])
people = hs.lists(hs.sampled_from(PEOPLE[:5]), max_size=2, unique=True)
ago = hs.integers(0, 5).map(lambda minutes: NOW - timedelta(minutes=minutes))


def _classification(draw: Any) -> dict[str, Any]:
    force = draw(hs.sampled_from(["none", "none", "minimal", "deadly"]))
    involved = draw(people) or (["officer"] if force != "none" else [])
    return {
        "incident_id": draw(incidents | hs.none()),
        "clip_ids": [CLIP] if draw(hs.booleans()) else [],
        "force": force,
        "in_custody_death": False,
        "involved": involved,
        "witnesses": [person for person in draw(people) if person not in involved],
        "occurred_at": NOW - timedelta(hours=3),
        "classified_at": draw(ago),
    }


@hs.composite
def words(draw: Any) -> Said:
    """One word of somebody's, which may or may not be accepted."""
    kind = draw(
        hs.sampled_from(["classification"] * 4 + ["statement", "report", "authorization", "hold", "correction"])
    )
    signer = draw(hs.sampled_from(SIGNERS))
    about = draw(hs.sampled_from([{"incident_id": "I1"}, {"incident_id": "I2"}, {"clip_id": CLIP}]))
    values: dict[str, Any]
    match kind:
        case "classification":
            values = _classification(draw)
            if values["incident_id"] is None:
                values["clip_ids"] = [CLIP]
        case "statement":
            to = "internal_affairs" if signer == "affairs" else "supervisor"
            values = about | {"officer_id": draw(hs.sampled_from(PEOPLE[:4])), "to": to, "form": "audio"}
            values |= {"given_at": draw(ago), "recording_sha256": agency.DIGEST}
        case "report":
            values = about | {"officer_id": draw(hs.sampled_from(PEOPLE[:4])), "filed_at": draw(ago)}
        case "authorization":
            court = draw(hs.booleans())
            order = {"reference": "1", "court": "c", "dated": NOW, "sha256": agency.DIGEST} if court else None
            values = about | {
                "authorization_id": "a1",
                "person_id": "clerk" if court else draw(hs.sampled_from(PEOPLE)),
                "purposes": ["court"] if court else ["report", "investigation"],
                "issued_at": draw(ago),
                "expires_at": NOW + timedelta(days=1),
                "court_order": order,
            }
        case "hold":
            values = about | {"hold_id": "h1", "state": draw(hs.sampled_from(["placed", "lifted"])), "reason": "r"}
            values["at"] = draw(ago)
        case _:
            values = {"clip_id": draw(hs.sampled_from([CLIP, OTHER])), "officer_id": draw(hs.sampled_from(PEOPLE[:4]))}
            values |= {"reason": "r", "at": draw(ago)}
    return st.KINDS[kind].model_validate(values), signer


def classified(signer: str, incident: str, force: str, *involved: str) -> Said:
    happened = {"occurred_at": NOW - timedelta(hours=3), "classified_at": NOW - timedelta(minutes=1)}
    fields = {"incident_id": incident, "force": force, "involved": involved, "in_custody_death": False}
    return st.Classification.model_validate(fields | happened), signer


def against(person: str) -> list[Said]:
    """Somebody is involved by one word, and all would be open but for it."""
    open_but_for_it = [classified("lieutenant", incident, "none") for incident in ("I1", "I2")]
    return [classified("agent", "I1", "deadly", person), *open_but_for_it]


def one_statement_short(taker: str) -> list[Said]:
    """Two officers' statements to a supervisor would open it, and this supervisor is one of them."""
    return [classified("agent", incident, "minimal", "officer", taker) for incident in ("I1", "I2")]


def close_to_open() -> list[list[Said]]:
    """What a story may begin with, so that few words are missing."""
    return [[], against("sergeant"), one_statement_short("sergeant"), one_statement_short("supervisor")]


@hs.composite
def stories(draw: Any) -> list[Said]:
    """Words, and then withdrawals of some of them."""
    said: list[Said] = draw(hs.sampled_from(close_to_open())) + draw(hs.lists(words(), min_size=1, max_size=6))
    taken_back = draw(hs.lists(hs.tuples(hs.sampled_from(said), hs.sampled_from(SIGNERS), ago), max_size=2))
    return said + [
        (st.Withdrawal(attestation_sha256=agency.signed(word, by).digest, reason="r", at=at), person)
        for (word, by), person, at in taken_back
    ]


@contextmanager
def told(said: list[Said], incidents: str = "I1 and I2") -> Iterator[Scene]:
    """Two clips of the same incidents, and everything said about them."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        scene = staged(Path(folder), "portland-negotiated-2023")
        try:
            scene.play(f"officer's clip c1 in {incidents}")
            scene.play("partner's clip c2 in I2")
            for statement, person in said:
                scene.say(person, statement)
            yield scene
        finally:
            scene.office.context.store.close()


def case(scene: Scene) -> Case:
    clip = scene.office.context.store.clip(CLIP)
    assert clip is not None
    return Case(scene.office.context, clip)


def ruling(scene: Scene, person: str, purpose: str) -> GroundedRuling:
    context = scene.office.context
    return ruling_on(context, context.store.clip(CLIP), person, purpose)  # type: ignore[arg-type]


def answers(scene: Scene) -> dict[tuple[str, str], bool]:
    return {question: ruling(scene, *question).ruling.released for question in QUESTIONS}


def may_open(parties: Parties, statement: st.Statement, signer: str) -> bool:
    """Whether a word can open by its signer. Written anew here, from the words of docs/regimes.md."""
    there = parties.involved | parties.witnesses
    match statement:
        case st.Classification():
            return signer not in there | parties.wearers | parties.clip_wearers
        case st.OfficerStatement() | st.Report():
            return signer not in there and signer != statement.officer_id
        case _:
            return signer not in there | parties.clip_wearers


@given(story=stories(), more=words())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_word_of_somebody_conflicted_opens(story: list[Said], more: Said) -> None:
    with told(story) as scene:
        before = answers(scene)
        scene.say(more[1], more[0])
        if may_open(case(scene).testimony.parties, *more):
            return
        opened = [question for question, released in answers(scene).items() if released and not before[question]]
        assert opened == []


@given(story=stories(), target=hs.integers(0, 2), person=hs.sampled_from(["chief", "sergeant", "supervisor"]))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_withdrawal_by_somebody_conflicted_opens(story: list[Said], target: int, person: str) -> None:
    story = against(person) + story[:2]
    word, by = story[target]
    withdrawal = st.Withdrawal(attestation_sha256=agency.signed(word, by).digest, reason="r", at=NOW)
    with told(story) as scene:
        before = answers(scene)
        scene.say(person, withdrawal)
        if may_open(case(scene).testimony.parties, withdrawal, person):
            return
        opened = [question for question, released in answers(scene).items() if released and not before[question]]
        assert opened == []


@given(story=stories())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_somebody_conflicted_said_to_open_changes_no_answer(story: list[Said]) -> None:
    def only_opens(statement: st.Statement) -> bool:
        return isinstance(statement, st.OfficerStatement | st.Report | st.Authorization) or (
            isinstance(statement, st.Hold) and statement.state == "lifted"
        )

    with told(story) as scene:
        parties, every = case(scene).testimony.parties, answers(scene)
    left = [(word, by) for word, by in story if not only_opens(word) or may_open(parties, word, by)]
    with told(left) as scene:
        assert answers(scene) == every


@given(story=stories(), seed=hs.integers())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_order_of_arrival_changes_no_answer(story: list[Said], seed: int) -> None:
    """A withdrawal comes after what it takes back, for before that it is refused."""
    first = [said for said in story if not isinstance(said[0], st.Withdrawal)]
    last = [said for said in story if isinstance(said[0], st.Withdrawal)]
    other = random.Random(seed).sample(first, len(first)) + last[::-1]
    with told(story) as scene:
        expected = answers(scene)
    with told(other) as scene:
        assert answers(scene) == expected


@given(story=stories(), question=hs.sampled_from(QUESTIONS), incidents=hs.sampled_from(["I1", "I1 and I2", "none"]))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_needs_satisfied_exactly_open_it(story: list[Said], question: tuple[str, str], incidents: str) -> None:
    person, purpose = question
    with told(story, incidents) as scene:
        for _ in range(4):  # once an incident is classified, it may need more
            found = ruling(scene, person, purpose).ruling
            if found.released or not found.needs or any(need.note for need in found.needs):
                return
            scene.play("+1m")
            for need in found.needs:
                if not supply(scene, need, person, purpose):
                    return
        found = ruling(scene, person, purpose).ruling
        note(str(found))
        assert found.released or not found.needs


def supply(scene: Scene, need: Need, viewer: str, purpose: str) -> bool:
    """Has everybody who may bring about a need do so. False when that is nobody."""
    parties, now = case(scene).testimony.parties, scene.now
    about: dict[str, Any] = {"incident_id": need.incident_id} if need.incident_id else {"clip_id": CLIP}
    ids = itertools.count()
    made: list[Said] = []
    match need.kind:
        case "classification":
            names = {"clip_ids": [CLIP]} | ({"incident_id": need.incident_id} if need.incident_id else {})
            fields = {"force": "none", "in_custody_death": False, "occurred_at": NOW - timedelta(hours=3)}
            classified = st.Classification.model_validate(names | fields | {"classified_at": now})
            made = [(classified, who) for who in ("supervisor", "lieutenant", "affairs", "agent")]
        case "statement":
            takers = ("supervisor", "lieutenant") if need.from_ == "supervisor" else ("affairs", "agent")
            recording = None if need.form == "unrecorded" else agency.DIGEST
            fields = {"officer_id": need.officer_id, "to": need.from_, "form": need.form, "given_at": now}
            account = st.OfficerStatement.model_validate(about | fields | {"recording_sha256": recording})
            made = [(account, who) for who in takers]
        case "report":
            filed = st.Report.model_validate(about | {"officer_id": need.officer_id, "filed_at": now})
            made = [(filed, who) for who in ("supervisor", "lieutenant")]
        case "authorization" | "court_order":
            order = {"reference": "1", "court": "c", "dated": now, "sha256": agency.DIGEST}
            fields = {"authorization_id": f"s{next(ids)}", "person_id": viewer, "purposes": [purpose]}
            times = {"issued_at": now, "expires_at": now + timedelta(days=1)}
            more = {"court_order": order} if need.kind == "court_order" else {}
            granted = st.Authorization.model_validate({"clip_id": CLIP} | fields | times | more)
            made = [(granted, who) for who in ("chief", "deputy", "records", "clerk")]
        case _:
            return False
    may = [(word, who) for word, who in made if may_open(parties, word, who) and who != viewer]
    for word, who in may:
        scene.say(who, word)
    return bool(may)
