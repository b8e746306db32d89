"""Facts from options and files: times in every form that people type, and everything that cannot be used."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.cli.attest.facts import facts_of, from_file, time_fields
from daemon.model import statements as st
from daemon.model.errors import ConfigurationError
from tests.cli.attest.world import PORTLAND, classification, facts

WHEN = datetime(2026, 11, 28, 8, 47, tzinfo=UTC)
ONE = 'incident_id = "23-1"\nforce = "none"\nin_custody_death = false\n'


def occurred(text: str, tmp_path: Path, suffix: str = "toml") -> datetime:
    path = tmp_path / f"facts.{suffix}"
    path.write_text(text)
    [fact] = facts_of(st.Classification, from_file(path, "classification"), PORTLAND)
    assert isinstance(fact.statement, st.Classification)
    return fact.statement.occurred_at


@pytest.mark.parametrize(
    "written", ['"2026-11-28 00:47"', '"2026-11-28T08:47:00.000Z"', "2026-11-28 00:47:00", "2026-11-28T00:47:00-08:00"]
)
def test_a_file_takes_the_same_times(written: str, tmp_path: Path) -> None:
    assert occurred(f"[[classification]]\n{ONE}occurred_at = {written}\n", tmp_path) == WHEN


def test_json_takes_them_as_well(tmp_path: Path) -> None:
    text = '[{"incident_id": "i", "force": "none", "in_custody_death": false, "occurred_at": "2026-11-28 00:47"}]'
    assert occurred(text, tmp_path, "json") == WHEN


@pytest.mark.parametrize(
    "written", ["2026-11-28", "00:47:00", "7", "[]", "true", '"2026-11-01 01:30"', "2026-11-01 01:30:00"]
)
def test_what_is_no_time_in_a_file_is_refused_with_its_place(written: str, tmp_path: Path) -> None:
    good = f"[[classification]]\n{ONE}occurred_at = 2026-11-28 00:47:00\n"
    with pytest.raises(ConfigurationError) as refused:
        occurred(f"{good}[[classification]]\n{ONE}occurred_at = {written}\n", tmp_path)
    assert "classification 2" in str(refused.value)


@pytest.mark.parametrize("text", ["", "[1]", "{}", "[" * 100_000, "a = " + "[" * 100_000, "\x00", '[{"a": 1, "a": 2}]'])
def test_a_file_that_is_no_list_of_facts_is_refused(text: str, tmp_path: Path) -> None:
    for suffix in ("json", "toml"):
        with pytest.raises(ConfigurationError):
            occurred(text, tmp_path, suffix)
    with pytest.raises(ConfigurationError):
        from_file(tmp_path, "classification")


def test_a_file_may_be_large_but_not_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = f"[[classification]]\n{ONE}occurred_at = 2026-11-28 00:47:00\n"
    monkeypatch.setattr("daemon.cli.attest.facts._LARGEST", len(good))
    assert occurred(good, tmp_path) == WHEN
    with pytest.raises(ConfigurationError):
        occurred(good + "\n", tmp_path)
    with pytest.raises(ConfigurationError):
        from_file(Path("/dev/zero"), "classification")


def test_a_time_that_nobody_gives_is_now_and_is_not_said_to_be_given() -> None:
    before = datetime.now(UTC)
    [fact] = facts(st.Report, {"incident_id": "23-1", "officer_id": "51234", "filed_at": None})
    assert isinstance(fact.statement, st.Report)
    assert abs((fact.statement.filed_at - before).total_seconds()) < 60
    assert "filed_at" not in fact.given
    assert "occurred_at" in classification().given


def test_a_classification_of_neither_an_incident_nor_clips_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        classification(incident_id=None)


def test_every_field_that_is_a_time_is_known_as_one() -> None:
    assert time_fields(st.Authorization) == {"issued_at", "expires_at"}
    assert time_fields(st.Classification) == {"occurred_at", "classified_at"}
    assert time_fields(st.Hold) == {"at"}


def test_a_mistake_is_told_in_the_case_that_it_was_typed_in() -> None:
    with pytest.raises(ConfigurationError) as refused:
        classification(occurred_at="2026-11-28T25:00:00Z")
    assert "2026-11-28T25:00:00Z" in str(refused.value)
    with pytest.raises(ConfigurationError) as refused:
        facts(st.Hold, {"incident_id": "23-1", "state": "placed", "reason": "x", "at": 7})
    assert "2023-11-29T21:45:02.120Z" in str(refused.value), "the model's own words, with its example"
