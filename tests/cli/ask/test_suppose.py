"""`--suppose FILE`: words in the forms that people write them, and what is said of a file that holds none."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.cli.ask.suppose import supposed_in
from daemon.model.errors import ConfigurationError
from tests.cli.attest.world import PORTLAND

TOML = """
[[classification]]
by = "41001"
incident_id = "23-310001"
force = "none"
in_custody_death = false
occurred_at = 2026-11-27 21:00:00

[[hold]]
by = "20001"
incident_id = "23-310001"
state = "placed"
reason = "civil suit"
"""


def test_words_are_read_with_local_times_and_what_is_missing_is_now(tmp_path: Path) -> None:
    path = tmp_path / "words.toml"
    path.write_text(TOML)
    first, second = supposed_in(path, PORTLAND)
    assert (first.by, first.kind, second.by, second.kind) == ("41001", "classification", "20001", "hold")
    assert first.statement["occurred_at"] == "2026-11-28T05:00:00.000Z"
    assert "classified_at" in first.statement and second.statement["hold_id"]


def test_json_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "words.json"
    path.write_text('{"report": [{"by": "41001", "incident_id": "23-1", "officer_id": "51234"}]}')
    [word] = supposed_in(path, PORTLAND)
    assert (word.by, word.kind, word.statement["officer_id"]) == ("41001", "report", "51234")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "supposes nothing"),
        ("[[verdict]]\nby = 'a'\n", "verdict"),
        ("classification = 7\n", "expected lists"),
        ("classification = [7]\n", "expected lists"),
        ("[[report]]\nincident_id = '23-1'\nofficer_id = '51234'\n", "does not say by whom"),
        ("[[report]]\nby = 7\n", "does not say by whom"),
        ("[[report]]\nby = 'a'\n", "officer_id"),
        ("[[report", "words.toml"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "words.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=says):
        supposed_in(path, PORTLAND)
