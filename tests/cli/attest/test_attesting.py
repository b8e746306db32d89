"""One visit: doubts told and refused or overridden, digests and notes told as they come, one JSON document at most."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.cli.attest import attesting as room
from daemon.cli.attest import sign
from daemon.cli.attest.attesting import Attesting, accepted_document
from daemon.cli.attest.check import DoubtfulError
from daemon.cli.attest.sign import RefusedError
from daemon.cli.shared.person import Caller
from daemon.model.config import Broker
from daemon.model.documents import Answer
from daemon.model.errors import UnavailableError
from daemon.model.topics import Topics
from daemon.review.known import Known
from daemon.seal.private_keys import new_pair
from tests.cli.attest.office import ME, Answers, opened
from tests.cli.attest.world import PEOPLE, PORTLAND, classification, clip, known

WORLD = known(clip(1, "23-310001"))


@pytest.fixture
def visit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Attesting]:
    new_pair(tmp_path, ME)
    caller = Caller(ME, tmp_path, Broker(url="mqtt://127.0.0.1:9"), Topics("portland"))

    def made(answers: Answers = lambda _: Answer(accepted=True), **how: bool) -> Attesting:
        monkeypatch.setattr(sign, "Session", opened(answers))
        return Attesting(caller, PORTLAND, PEOPLE, how.get("anyway", False), how.get("as_json", False))

    monkeypatch.setattr(room, "hear_dispatched", lambda *_: set())
    return made


Visit = Callable[..., Attesting]
Captured = pytest.CaptureFixture[str]
FACTS = [classification(incident_id="23-310001"), classification(incident_id="23-310001", involved=["51234"])]


def published() -> list[str]:
    found: list[str] = sign.Session.published  # type: ignore[attr-defined]
    return found


def test_digests_are_printed_as_they_are_accepted(visit: Visit, capsys: Captured) -> None:
    visit().sign(FACTS, WORLD)
    said = capsys.readouterr()
    assert said.out.splitlines() == [f"accepted: classification {digest}" for digest in published()]
    assert "41001 (Sergeant Reyes)" in said.err and said.err.count("1 clip of 1 officer in incident 23-310001") == 2


def test_with_json_only_the_document_is_printed(visit: Visit, capsys: Captured) -> None:
    made = visit(as_json=True)
    made.sign(FACTS, WORLD)
    assert capsys.readouterr().out == ""
    assert accepted_document(made.accepted) == {"accepted": published(), "notes": {}}


def test_a_note_is_a_warning(visit: Visit, capsys: Captured) -> None:
    made = visit(lambda n: Answer(accepted=True, note="It can close, not open: You were there" if n == 2 else None))
    made.sign(FACTS, WORLD)
    [line] = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert "It can close, not open: You were there" in line and published()[1][:16] in line
    assert accepted_document(made.accepted)["notes"] == {published()[1]: "It can close, not open: You were there"}


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    ("second", "error"),
    [(Answer(accepted=False, reason="InconsistentError: x"), RefusedError), (None, UnavailableError)],
)
def test_what_was_accepted_before_a_failure_is_told(
    visit: Visit, capsys: Captured, as_json: bool, second: Answer | None, error: type[Exception]
) -> None:
    made = visit(lambda n: Answer(accepted=True) if n == 1 else second, as_json=as_json)
    with pytest.raises(error):
        made.sign([*FACTS, *FACTS], WORLD)
    said = capsys.readouterr()
    assert published()[0] in (said.err if as_json else said.out)
    assert (said.out == "") is as_json
    assert len(published()) == 2, "nothing after it was published"


def test_doubts_are_all_told_and_nothing_is_signed(visit: Visit, capsys: Captured) -> None:
    doubtful = [classification(incident_id=name, involved=["51243"]) for name in ("23-310010", "23-310100")]
    with pytest.raises(DoubtfulError) as refused:
        visit().check(doubtful, WORLD)
    assert refused.value.exit_code == 2 and "--anyway" in (refused.value.hint or "")
    words = capsys.readouterr().err
    assert all(part in words for part in ("23-310010", "23-310100", "51243", "hint: did you mean 51234 (Officer Lee)"))


def test_anyway_says_what_it_overrides(visit: Visit, capsys: Captured) -> None:
    visit(anyway=True).check([classification(incident_id="23-310010", involved=["51243"])], WORLD)
    words = capsys.readouterr().err
    assert words.count("signed anyway") == 2 and "23-310010" in words and "51243" in words


def test_many_doubts_are_not_all_told(visit: Visit, capsys: Captured) -> None:
    with pytest.raises(DoubtfulError):
        visit().check([classification(incident_id=f"x{number}") for number in range(500)], WORLD)
    words = capsys.readouterr().err
    assert len(words) < 4000 and "480 more" in words


def test_nothing_is_heard_for_what_names_nothing(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "hear_known", lambda *_: pytest.fail("heard"))
    assert visit().hear([]) == Known()


def test_a_stranger_is_listened_for_patiently(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[object, ...]] = []

    def hear(*how: object) -> Known:
        heard.append(how)
        return Known() if len(heard) == 1 else WORLD

    monkeypatch.setattr(room, "hear_known", hear)
    assert visit().hear(FACTS) is WORLD and len(heard) == 2
    heard.clear()
    assert visit(anyway=True).hear(FACTS) == Known() and len(heard) == 1
