"""What `bwc ask` prints and writes; the policy service stands in for by what it would answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from daemon.cli.ask import command
from daemon.model.errors import BwcError, ConfigurationError, TamperedError
from daemon.model.query_results import ListedClip, ListedWord, PolicyStatus, ReportPiece
from tests.cli.attest.world import EVENING, clip, listed
from tests.kit.agency import CLIP, DIGEST

Ask = Callable[..., Result]
WHO = ["--as", "10001", "--agency", "portland", "--broker", "mqtt://127.0.0.1:9"]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Runs `bwc ask` with these rows as the answer. Raises what the command raises."""

    def run(rows: list[Any], *words: str) -> Result:
        class Answering:
            def rows(self, question: Any, _row: Any) -> Iterator[Any]:
                self.question = question
                yield from rows

        @contextmanager
        def visit(_person: object) -> Iterator[Answering]:
            yield Answering()

        monkeypatch.setattr(command, "asking", visit)
        return CliRunner().invoke(
            command.ask, [words[0], *WHO, *words[1:]], catch_exceptions=False, standalone_mode=False
        )

    return run


def pieces(*texts: str, digest: str | None = None) -> list[ReportPiece]:
    whole = digest or hashlib.sha256("".join(texts).encode()).hexdigest()
    return [ReportPiece(sha256=whole, made_at=EVENING, text=text) for text in texts]


def test_a_report_is_written_only_when_it_has_its_digest(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    found = ask(pieces("a", "é"), "report", "--save", str(path))
    assert path.read_text() == "aé" and found.output.startswith(hashlib.sha256("aé".encode()).hexdigest())
    path.unlink()
    for wrong in (pieces("a", digest=DIGEST), []):
        with pytest.raises(TamperedError):
            ask(wrong, "report", "--save", str(path))
    assert not path.exists()


def test_clips_are_told_with_what_is_owed(ask: Ask) -> None:
    standing = {
        "clip_id": CLIP,
        "force": "serious",
        "incidents": ["A"],
        "needs": [{"kind": "statement", "from": "internal_affairs", "officer_id": "51234", "incident_id": "A"}],
        "overdue": True,
    }
    rows: list[ListedClip] = [listed(clip(1, "A"), standing=standing), listed(clip(2))]
    told = ask(rows, "clips", "--span", "2026-11-27", "--timezone", "America/Los_Angeles").output
    assert "2026-11-27 21:00:00" in told and "serious, OVERDUE" in told and "51234" in told
    assert "no incident  unclassified" in told and told.endswith("2 clips\n")


def test_words_are_told_with_what_limits_them(ask: Ask) -> None:
    word = ListedWord(
        digest=DIGEST,
        kind="hold",
        signer="20001",
        roles=("records",),
        received_at=EVENING,
        statement={},
        withdrawn=True,
        trusted=False,
        conflict="is named as a witness",
    )
    told = ask([word], "words", "--incident", "A").output
    assert "hold by 20001" in told
    assert "(withdrawn)" in told and "revoked" in told and "20001 is named as a witness" in told


@pytest.mark.parametrize("words", [(), ("--clip", CLIP, "--incident", "A"), ("--clip", "x")])
def test_a_question_that_is_none_is_refused_before_it_is_sent(ask: Ask, words: tuple[str, ...]) -> None:
    with pytest.raises(BwcError) as refused:
        ask([], "words", *words)
    assert refused.value.exit_code == 2 and "pydantic" not in str(refused.value)


def status(monkeypatch: pytest.MonkeyPatch, said: PolicyStatus | None) -> str:
    monkeypatch.setattr(command, "hear_status", lambda *_: said)
    words = ["status", *WHO[2:]]
    return CliRunner().invoke(command.ask, words, catch_exceptions=False, standalone_mode=False).output


def test_a_status_is_told_with_its_age_and_silence_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    here = PolicyStatus(state="online", since=EVENING, said_at=now, version="1", regime="ours", docks={"d": 7})
    told = status(monkeypatch, here)
    assert "online" in told and "regime ours" in told and "up to notice 7" in told
    for said, why in (
        (None, "never"),
        (here.model_copy(update={"said_at": now - timedelta(minutes=5)}), "said nothing for"),
        (here.model_copy(update={"state": "offline"}), "offline"),
    ):
        with pytest.raises(BwcError, match=why):
            status(monkeypatch, said)


def test_a_folder_is_no_file_to_write_a_report_to(ask: Ask, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        ask(pieces("a"), "report", "--save", str(tmp_path))
    assert list(tmp_path.iterdir()) == []
