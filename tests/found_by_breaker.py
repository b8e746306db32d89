"""Found by an attacker on questions, tags, declarations, excusals and --shift. Each fails until its fault is mended.

Not collected by its name: run it as `pytest tests/found_by_breaker.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from daemon.cli.ask import command
from daemon.cli.attest.shift import propose
from daemon.model import statements as st
from daemon.model.errors import BwcError, NotDurableError
from daemon.model.parse import parse_model
from daemon.model.query_results import ListedClip, PolicyStatus, ReportPiece
from daemon.model.times import format_instant
from daemon.policy.queries.handler import QueryHandler
from daemon.policy.queries.status import offline
from daemon.policy.rules import cedar
from tests.core.dispatch.calls import at, document
from tests.dock.dispatch.scene import newest_tag
from tests.kit import agency, postgres
from tests.kit.agency import CLIP, NOW
from tests.kit.dock_fixture import House, open_house
from tests.kit.policy_fixture import Office, open_office
from tests.policy.attacks.scene import Scene, clip_id, staged
from tests.policy.queries.asking import Desk

WEARER = {"classification": {"no_force_by": "wearer"}}
SPAN = {"what": "clips", "since": format_instant(NOW - timedelta(days=2)), "until": format_instant(NOW)}
LATER = "I9: 799 Z Dispatched 21:55"


@contextmanager
def played(folder: Path, *steps: str, **settings: Any) -> Iterator[Scene]:
    scene = staged(folder, "portland-negotiated-2023", **settings)
    try:
        for step in steps:
            scene.play(step)
        yield scene
    finally:
        scene.office.context.store.close()


def desk(office: Office) -> Desk:
    return Desk(office, QueryHandler(office.context))


def record(house: House, clip: str, officer: str, begin: str, end: str) -> None:
    times = {"started_at": at(begin), "triggered_at": at(begin), "stopped_at": at(end), "pre_event_seconds": 0}
    house.record(clip, clip.encode(), officer_id=officer, **times)
    assert house.look() in {"done", "waiting"}


def tell(house: House, *documents: str | bytes | dict[str, Any]) -> st.Tag:
    for one in documents:
        made = document(one) if isinstance(one, str) else one
        data = made if isinstance(made, bytes) else json.dumps(made).encode()
        house.service.receive_file(data, "a file.json")
    return newest_tag(house, CLIP)


def hear(house: House, statement: st.Statement, by: str) -> str:
    envelope = agency.signed(statement, by)
    house.hear(house.dock.topics.attestation(by, statement.kind, envelope.digest), envelope.to_bytes())
    return envelope.digest


def classified(**changes: Any) -> dict[str, Any]:
    """What a classification says, as it is supposed."""
    times = {"occurred_at": format_instant(NOW - timedelta(hours=2)), "classified_at": format_instant(NOW)}
    return {"incident_id": "I1", "force": "none", "in_custody_death": False, **times, **changes}


# --- it opens ---------------------------------------------------------------------------------------------------------


def test_a_signers_later_word_about_another_clip_frees_nobody_who_was_there(tmp_path: Path) -> None:
    """Two clips of an incident are classified by themselves: the second word does not take back the first.

    daemon/policy/testimony/testimony.py, `_standing` over `beside`: its key (signer, incident) is (signer, None) for
    every clip classified by itself, so the latest such word drops whom the earlier ones call involved.
    """
    steps = [
        "officer's clip c1 in I1",
        "partner's clip c2 in I1",
        "witness's clip c3 in I1",
        "affairs: c2 deadly, involved sergeant",
        "+1m",
        "affairs: c3 none",
        "+1m",
        "sergeant: I1 none",
    ]
    with played(tmp_path, *steps) as scene:
        assert not scene.opens("officer report c1")


ATTACHED = ["officer's clip c1 in I1; unclear 0", "partner's clip c2 in none", "corporal's clip c3 in I1"]
ATTACHED += ["corporal: I1 none, clips c2", "+1m"]
"""A word that only closes attaches the second clip to the incident."""


def test_whoever_is_called_involved_in_a_clip_attached_to_the_incident_is_a_party(tmp_path: Path) -> None:
    """daemon/policy/store/attestations.py `_BESIDE`: of what is said of an incident's other clips by themselves only
    that of clips which a dock tagged is found, not of those that a word attached (corrections are found for both).
    """
    with played(tmp_path, *ATTACHED, "affairs: c2 deadly, involved sergeant", "sergeant: I1 none") as scene:
        assert not scene.opens("officer report c1")


def test_a_declaration_does_not_stand_against_force_on_a_clip_attached_to_the_incident(tmp_path: Path) -> None:
    """The same, in daemon/policy/cases/declarations.py `_said_beside`: the wearer is called involved there."""
    steps = [*ATTACHED, "affairs: c2 deadly, involved officer", "officer declares no force on c1"]
    with played(tmp_path, *steps, **WEARER) as scene:
        assert not scene.opens("officer report c1")


def test_a_declaration_waits_for_a_tag_of_whoever_a_correction_names(tmp_path: Path) -> None:
    """The tag says `unclear: 0`, and no call, of the officer before; the new wearer's calls are not in it yet.

    daemon/policy/cases/declarations.py: a tag does not say whose calls it was made of, and nobody asks.
    """
    steps = ["officer's clip c1 in none; unclear 0", "supervisor: I5 deadly, involved partner"]
    steps += ["records corrects c1: worn by partner", "partner declares no force on c1"]
    with played(tmp_path, *steps, **WEARER) as scene:
        assert not scene.opens("partner report c1")


def test_a_correction_that_was_taken_back_gives_the_clip_its_own_officers_calls_again(tmp_path: Path) -> None:
    """The policy service goes back to the officer of the capture; the dock goes on tagging for the other, `unclear: 0`.

    daemon/dock/inbox: withdrawals are heard for excusals alone. The same where only the policy service knows that the
    correction's signer is a party.
    """
    with open_house(tmp_path / "house") as house:
        record(house, CLIP, "A", "21:10", "21:50")
        said = agency.statement("correction", clip_id=CLIP, officer_id="C", admit=None, at=house.dock.now())
        digest = hear(house, said, "records")
        hear(house, st.Withdrawal(attestation_sha256=digest, reason="another clip", at=house.dock.now()), "records")
        tag = tell(house, "I1: 711 A Dispatched 21:00", LATER)
        assert [one.incident_id for one in tag.activation.assignments] == ["I1"] or tag.unclear != 0


# --- it stops the service ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "question"),
    [
        ("officer", SPAN | {"after": "\0 dock-1 x"}),
        ("supervisor", SPAN | {"after": "2023 dock-1 \0"}),
        ("chief", {"what": "disposal_report", "after": "\0 1"}),
    ],
)
def test_a_cursor_that_postgresql_cannot_read_is_refused(tmp_path: Path, by: str, question: dict[str, Any]) -> None:
    """The driver's DataError leaves the loop before the question is acknowledged: the broker sends it again.

    daemon/policy/queries/rows.py `parts_of`, `Cursor`: any text goes into the statement. Anybody enrolled may ask.
    """
    with postgres.server() as server:
        office = open_office(tmp_path, store={"url": server.database()})
        try:
            asked = desk(office)
            query = asked.question(question)
            asked.send(agency.signed(query, by), by, query.query_id)
            assert asked.pages(by, query.query_id)
        finally:
            office.context.store.close()


@pytest.mark.parametrize("how", ["supposed", "attested"])
def test_many_involved_do_not_take_the_service_for_minutes(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question may suppose 20 classifications of 1,000 involved each. On a busy machine one question that supposed 40
    involved took 4 s, with 200 it had not ended after 90 s; 20 attested took 7 s. All waits in that one transaction.

    daemon/policy/rules/requirements.py `_take_back`: a question to Cedar for each officer, and each asks every gate
    again; daemon/policy/rules/decide.py `clip_standing` does all that for each officer once more.
    """
    asked_of_cedar = [0]
    batch = cedar.cedarpy.is_authorized_batch

    def counted(requests: list[Any], *what: Any, **more: Any) -> Any:
        asked_of_cedar[0] += len(requests)
        return batch(requests, *what, **more)

    monkeypatch.setattr(cedar.cedarpy, "is_authorized_batch", counted)
    people = [f"p{number}" for number in range(12)]
    with played(tmp_path, "officer's clip c1 in I1") as scene:
        if how == "attested":
            scene.play("supervisor: I1 deadly, involved " + " ".join(people))
        else:
            said = classified(force="deadly", involved=people)
            words = [{"by": "affairs", "kind": "classification", "statement": said}]
            about = {"clip_id": clip_id("c1"), "person_id": "officer", "purpose": "report", "suppose": words}
            desk(scene.office).ask("supervisor", {"what": "decision"} | about)
    assert asked_of_cedar[0] <= 20 * len(people)


def test_a_question_too_large_to_be_read_is_not_kept(tmp_path: Path) -> None:
    """500 wait, each as large as the broker takes, before anybody looks at size or signature.

    daemon/policy/queries/handler.py `receive`.
    """
    with played(tmp_path) as scene:
        handler = QueryHandler(scene.office.context)
        handler.receive(b"x" * (3 << 20), "attorney", "q1")
        assert not handler.waiting


# --- it misleads ------------------------------------------------------------------------------------------------------


def test_a_supposed_classification_meets_what_was_said_of_the_incident_that_it_attaches_the_clip_to(
    tmp_path: Path,
) -> None:
    """daemon/policy/cases/clip_case.py: `rows_about` knows the incidents that given words name, not supposed ones."""
    steps = ["officer's clip c1 in none", "affairs: I7 deadly, involved partner"]
    with played(tmp_path, *steps) as scene:
        said = classified(incident_id="I7", clip_ids=[clip_id("c1")])
        words = [{"by": "supervisor", "kind": "classification", "statement": said}]
        about = {"clip_id": clip_id("c1"), "person_id": "officer", "purpose": "report", "suppose": words}
        [row], _ = desk(scene.office).ask("affairs", {"what": "decision"} | about)
        scene.office.attest(st.Classification.model_validate(said), "supervisor")
        assert row["outcome"] == scene.office.ask("officer", clip_id("c1"))["outcome"]


def test_a_shift_proposes_nothing_that_replaces_a_word_of_the_asker_that_still_closes(tmp_path: Path) -> None:
    """The supervisor called it deadly, naming the chief, who withdrew that: it still closes, and counts as nobody's.

    So `--shift` proposes the incident to the same supervisor, without force, and does not say what they said before;
    signed, it replaces their word, and the clip opens. The same after a key of theirs was revoked.
    daemon/policy/queries/clips.py: `unclassified` says nothing of the asker's own word; daemon/cli/attest/shift.py.
    """
    steps = [
        "officer's clip c1 in I1",
        "supervisor: I1 deadly, involved chief officer",
        "+1m",
        "chief withdraws word 1",
    ]
    with played(tmp_path, *steps) as scene:
        rows, _ = desk(scene.office).ask("supervisor", SPAN)
        assert not propose([ListedClip.model_validate(row) for row in rows], "supervisor").groups


def test_unclassified_lists_what_only_its_wearer_has_declared(tmp_path: Path) -> None:
    """Nobody has classified it, and its row says so (`alone`).

    daemon/policy/queries/clips.py goes by `standing.force`.
    """
    steps = ["officer's clip c1 in none; unclear 0", "officer declares no force on c1"]
    with played(tmp_path, *steps, **WEARER) as scene:
        assert [row["alone"] for row in desk(scene.office).ask("supervisor", SPAN)[0]] == [True]
        assert len(desk(scene.office).ask("supervisor", SPAN | {"only": "unclassified"})[0]) == 1


def test_the_last_will_does_not_say_that_the_service_was_gone_since_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The will is made when the service begins to lead. After a crash three days later `bwc ask status` says that it
    "was offline 259200 s ago already". daemon/policy/queries/status.py `offline`, daemon/cli/ask/command.py `status`.
    """
    office = open_office(tmp_path)
    will = parse_model(PolicyStatus, offline(office.context), what="will")
    office.context.store.close()
    made = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
    left = will.model_copy(update={"said_at": made, "since": made})
    monkeypatch.setattr(command, "hear_status", lambda *_: left)
    words = ["status", "--agency", "portland", "--broker", "mqtt://127.0.0.1:9"]
    with pytest.raises(BwcError) as caught:
        CliRunner().invoke(command.ask, words, catch_exceptions=False, standalone_mode=False)
    assert "already" not in str(caught.value)


def test_a_report_that_cannot_be_written_is_a_mistake_in_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--save` with a folder: "what is on the medium is unknown", and a hidden `.new` file is left beside it."""
    piece = ReportPiece(sha256=hashlib.sha256(b"a").hexdigest(), made_at=NOW, text="a")
    (tmp_path / "folder").mkdir()

    @contextmanager
    def answering(_: object) -> Iterator[Any]:
        yield SimpleNamespace(rows=lambda *_: iter([piece]))

    monkeypatch.setattr(command, "asking", answering)
    words = ["report", "--as", "chief", "--agency", "portland", "--broker", "mqtt://127.0.0.1:9"]
    with pytest.raises(BwcError) as caught:
        CliRunner().invoke(
            command.ask, [*words, "--save", str(tmp_path / "folder")], catch_exceptions=False, standalone_mode=False
        )
    assert not isinstance(caught.value, NotDurableError) and [one.name for one in tmp_path.iterdir()] == ["folder"]
