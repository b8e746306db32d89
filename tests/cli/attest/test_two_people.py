"""A court's order as options, and a file by which a second person signs exactly what the first did."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from daemon.cli.attest import attesting as room
from daemon.cli.attest import sign
from daemon.cli.attest.command import attest
from daemon.cli.attest.facts import facts_of, from_file
from daemon.cli.attest.two_people import refuse_unsignable, save_for_second, take_court_order
from daemon.model import statements as st
from daemon.model.errors import ConfigurationError
from daemon.seal import envelope as envelopes
from daemon.seal.private_keys import new_pair
from tests.cli.attest.office import opened
from tests.cli.attest.world import PORTLAND, clip, clip_id, facts, known

ORDER = b"IT IS ORDERED that the recording be produced"
DIGEST = hashlib.sha256(ORDER).hexdigest()
COURT = ("--court-reference", "23CV-1187", "--court", "Multnomah County Circuit Court", "--court-dated", "2026-12-05")
ABOUT = ("--person-id", "77001", "--clip-id", clip_id(1), "--expires-at", "2199-01-01 00:00")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for person in ("records", "counsel"):
        new_pair(tmp_path, person)
    (tmp_path / "order.pdf").write_bytes(ORDER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sign, "Session", opened())
    monkeypatch.setattr(room, "hear_known", lambda *_: known(clip(1, "23-1")))
    return tmp_path


def run(person: str, *options: str) -> Result:
    who = ("--as", person, "--keys", ".", "--broker", "mqtt://127.0.0.1:9", "--agency", "portland")
    return CliRunner().invoke(attest, ["authorization", *who, "--timezone", "America/Los_Angeles", *options])


def signed() -> list[st.Authorization]:
    said: list[bytes] = sign.Session.said  # type: ignore[attr-defined]
    return [envelopes.parse(data, what="said").statement(st.Authorization) for data in said]


def but_for_issue(statement: st.Authorization) -> dict[str, Any]:
    return {name: value for name, value in statement.plain().items() if name != "issued_at"}


@pytest.mark.parametrize("purpose", ["court", "disclosure"])
def test_the_second_signs_what_the_first_did(folder: Path, purpose: str) -> None:
    first = run("records", *ABOUT, "--purposes", purpose, *COURT, "--court-file", "order.pdf", "--save", "order.json")
    assert first.exit_code == 0, (first.output, first.exception)
    assert "records, and the chief or counsel" in first.stderr and "--from order.json" in first.stderr
    second = run("counsel", "--from", "order.json")
    assert second.exit_code == 0, (second.output, second.exception)
    one, other = signed()
    assert but_for_issue(one) == but_for_issue(other)
    assert one.court_order is not None and one.court_order.sha256 == DIGEST
    assert one.court_order.dated == datetime(2026, 12, 5, 8, tzinfo=UTC), "the day began then in Portland"
    for said in (first.stderr, second.stderr):
        assert all(part in said for part in ("77001", "23CV-1187", "Multnomah County Circuit Court", DIGEST))


def test_for_disposal_the_file_does_as_well(folder: Path) -> None:
    about = ("--clip-id", clip_id(1), "--expires-at", "2199-01-01 00:00", "--reason", "Duplicate")
    first = run("records", *about, "--purposes", "disposal", "--save", "disposal.json")
    assert first.exit_code == 0 and "records and the chief" in first.stderr and "Duplicate" in first.stderr
    assert run("counsel", "--from", "disposal.json").exit_code == 0
    one, other = signed()
    assert but_for_issue(one) == but_for_issue(other)
    assert one.court_order is None


def test_the_file_has_nothing_that_is_each_signers_own(folder: Path) -> None:
    run("records", *ABOUT, "--purposes", "court", *COURT, "--court-sha256", DIGEST, "--save", "order.json")
    [document] = json.loads((folder / "order.json").read_text())
    assert "issued_at" not in document and {"authorization_id", "expires_at", "court_order"} <= document.keys()


def test_a_saved_file_is_never_written_over(folder: Path) -> None:
    (folder / "order.json").write_text("mine")
    again = run("records", *ABOUT, "--purposes", "court", *COURT, "--court-sha256", DIGEST, "--save", "order.json")
    assert isinstance(again.exception, ConfigurationError) and signed() == []
    assert (folder / "order.json").read_text() == "mine"
    [fact] = facts(
        st.Authorization, {"clip_id": clip_id(1), "purposes": ["disposal"], "expires_at": "2199-01-01 00:00"}
    )
    with pytest.raises(ConfigurationError):
        save_for_second(folder / "missing" / "order.json", [fact])


@pytest.mark.parametrize(
    "options",
    [
        ("--purposes", "court", "--save", "o.json"),
        ("--purposes", "court", *COURT[:4], "--court-file", "order.pdf", "--save", "o.json"),
        ("--purposes", "court", *COURT, "--save", "o.json"),
        ("--purposes", "court", *COURT, "--court-file", "order.pdf", "--court-sha256", "ab" * 32, "--save", "o.json"),
        ("--purposes", "court", *COURT, "--court-file", "order.pdf"),
        ("--purposes", "disposal"),
        ("--purposes", "training", *COURT, "--court-file", "order.pdf"),
        ("--purposes", "court", "--purposes", "report", *COURT, "--court-file", "order.pdf", "--save", "o.json"),
        ("--purposes", "court", *COURT[:4], "--court-dated", "soon", "--court-file", "order.pdf", "--save", "o.json"),
        ("--from", "order.pdf", "--save", "o.json"),
    ],
)
def test_what_could_never_count_is_refused_before_it_is_signed(folder: Path, options: tuple[str, ...]) -> None:
    refused = run("records", *(() if "--from" in options else ABOUT), *options)
    assert isinstance(refused.exception, ConfigurationError), refused.output
    assert signed() == [] and not (folder / "o.json").exists()


def test_two_who_give_the_same_id_need_no_file(folder: Path) -> None:
    options = (*ABOUT, "--authorization-id", "a1", "--purposes", "court", *COURT, "--court-file", "order.pdf")
    assert [run(person, *options).exit_code for person in ("records", "counsel")] == [0, 0]
    one, other = signed()
    assert but_for_issue(one) == but_for_issue(other)


def test_one_person_alone_authorizes_to_view_as_before(folder: Path) -> None:
    alone = run("records", *ABOUT, "--purposes", "training")
    assert alone.exit_code == 0 and "two people" not in alone.stderr


@pytest.mark.parametrize("written", ['"2026-12-05"', "2026-12-05", "2026-12-05 00:00:00", '"2026-12-05T08:00:00Z"'])
def test_a_file_by_hand_may_date_the_order_as_people_do(written: str, tmp_path: Path) -> None:
    path = tmp_path / "order.toml"
    path.write_text(
        f'[[authorization]]\nauthorization_id = "a1"\nperson_id = "77001"\nclip_id = "{clip_id(1)}"\n'
        'purposes = ["court"]\nexpires_at = "2199-01-01 00:00"\n'
        f'[authorization.court_order]\nreference = "r"\ncourt = "c"\nsha256 = "{DIGEST}"\ndated = {written}\n'
    )
    found = facts_of(st.Authorization, from_file(path, "authorization"), PORTLAND)
    refuse_unsignable(found, saved=False)
    [fact] = found
    assert isinstance(fact.statement, st.Authorization) and fact.statement.court_order is not None
    assert fact.statement.court_order.dated == datetime(2026, 12, 5, 8, tzinfo=UTC)


def test_a_file_without_an_id_would_be_two_authorizations(folder: Path) -> None:
    run("records", *ABOUT, "--purposes", "court", *COURT, "--court-sha256", DIGEST, "--save", "order.json")
    [document] = json.loads((folder / "order.json").read_text())
    del document["authorization_id"]
    (folder / "order.json").write_text(json.dumps([document]))
    assert isinstance(run("counsel", "--from", "order.json").exception, ConfigurationError)
    assert len(signed()) == 1


def test_no_option_of_an_order_is_no_order() -> None:
    none = dict.fromkeys(("court_reference", "court", "court_dated", "court_sha256", "court_file"))
    values: dict[str, Any] = {**none, "reason": "x"}
    assert take_court_order(values) is None and values == {"reason": "x"}
