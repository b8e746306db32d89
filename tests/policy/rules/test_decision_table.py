"""Every cell of decision_table.toml against Cedar: regime, tier, viewer, purpose, what has been said.

A small reader of the table's own notation says what is expected; it shares nothing with the code under test.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from daemon.policy.rules.cedar import ask
from daemon.policy.rules.decide import decide
from daemon.policy.rules.question import question_of
from daemon.policy.rules.regime import Regime, bundled, bundled_names
from tests.policy.world import COURT_ORDER, VIEWERS, Given, authorization, facts, involved_in

TABLE = tomllib.loads((Path(__file__).parent / "decision_table.toml").read_text())
# what satisfies a word, and how its need reads: (kind, from, form)
SATISFIED_BY = {
    "report": {("report", "")},
    "sup": {("supervisor", "unrecorded"), ("supervisor", "audio"), ("supervisor", "video")},
    "sup-audio": {("supervisor", "audio"), ("supervisor", "video")},
    "sup-video": {("supervisor", "video")},
    "ia-audio": {("internal_affairs", "audio"), ("internal_affairs", "video")},
}
NEED = {
    "report": ("report", "supervisor", None),
    "sup": ("statement", "supervisor", "unrecorded"),
    "sup-audio": ("statement", "supervisor", "audio"),
    "sup-video": ("statement", "supervisor", "video"),
    "ia-audio": ("statement", "internal_affairs", "audio"),
}
CHIEF = ("authorization", "chief", None, None)
ORDER = ("court_order", "records", None, None)


@dataclass(frozen=True)
class Cell:
    regime: str
    viewer: str
    purpose: str
    tier: str
    word: str
    authorization: str

    def wanted(self, expression: str) -> set[tuple[str, str]]:
        """(officer, word) for each thing that must have been said."""
        found = set()
        for term in filter(None, (part.strip() for part in expression.split("+"))):
            who, what = term.split()
            people = {VIEWERS[self.viewer][0]} if who == "own" else involved_in(self.viewer)
            assert who in {"own", "everyone"}
            found |= {(officer, what) for officer in people}
        return found

    def opens(self, given: set[Given], *, authorized: bool, ordered: bool = False) -> bool:
        def satisfied(expression: str) -> bool:
            if expression in {"open", "refused", "never"}:
                return expression == "open"
            return all(
                any((officer, *way) in given for way in SATISFIED_BY[what]) for officer, what in self.wanted(expression)
            )

        if self.word in {"never", "order"}:
            return self.word == "order" and ordered
        return satisfied(self.word) or (authorized and satisfied(self.authorization))

    def needs(self) -> set[tuple[str | None, ...]]:
        """What is needed when nothing has been said."""
        if self.word in {"open", "never", "order"}:
            return {ORDER} if self.word == "order" else set()
        expression, more = (self.word, set()) if self.word != "refused" else (self.authorization, {CHIEF})
        said = self.wanted(expression) if expression != "open" else set()
        return {(*NEED[what], officer) for officer, what in said} | more


@cache
def regime(name: str) -> Regime:
    return bundled(name)


def cells(name: str) -> Iterator[Cell]:
    own = TABLE[name]
    for line in TABLE["every_regime"] + own["lines"]:
        assert len(line["cells"]) == len(own["authorization"]) == len(TABLE["columns"])
        for viewer, purpose in product(line["viewers"].split(", "), line["purposes"].split(", ")):
            for tier, word, chief in zip(TABLE["columns"], line["cells"], own["authorization"], strict=True):
                yield Cell(name, viewer, purpose, tier, word, chief)


def worlds(viewer: str) -> list[tuple[set[Given], bool]]:
    """What may have been said, by whom: each account by nobody, the viewer, the others, or all; and mixtures."""
    person = VIEWERS[viewer][0]
    involved = involved_in(viewer)
    groups = [{person}, involved - {person}, involved | {person}]
    forms = [(to, form) for to in ("supervisor", "internal_affairs") for form in ("unrecorded", "audio", "video")]
    single = [{(p, *way) for p in group} for way in [("report", ""), *forms] for group in groups]
    both = [
        {(p, "report", "") for p in some} | {(p, "internal_affairs", "audio") for p in others}
        for some, others in product(groups, groups)
    ]
    everything = {(p, *way) for p in involved | {person} for way in [("report", ""), *forms]}
    said: list[set[Given]] = [set(), *single, *both, everything]
    return [(given, False) for given in said] + [(given, True) for given in (set(), said[-2], everything)]


BY_VIEWER = [(name, viewer) for name in bundled_names() for viewer in VIEWERS]


@pytest.mark.parametrize(("name", "viewer"), BY_VIEWER)
def test_every_cell_opens_exactly_when_the_table_says(name: str, viewer: str) -> None:
    wrong = []
    for cell in (cell for cell in cells(name) if cell.viewer == viewer):
        every = worlds(viewer)
        # where nothing said matters, the two ends show it: nothing and everything, without and with the chief
        fixed = {cell.word, cell.authorization} <= {"open", "refused", "never", "order"}
        for given, authorized in [every[0], *every[-4:]] if fixed else every:
            more: dict[str, Any] = {"authorizations": [authorization(viewer, cell.purpose)]} if authorized else {}
            question, _ = question_of(facts(cell.tier, viewer, cell.purpose, given, **more))
            verdict = ask(regime(name), question)
            assert not verdict.errors
            if verdict.allowed != cell.opens(given, authorized=authorized):
                wrong.append((cell, sorted(given), authorized, verdict.allowed))
    assert not wrong


@pytest.mark.parametrize(("name", "viewer"), BY_VIEWER)
def test_a_courts_order_opens_what_the_table_says_and_nothing_else(name: str, viewer: str) -> None:
    for cell in (cell for cell in cells(name) if cell.viewer == viewer and cell.purpose in {"court", "disclosure"}):
        order = authorization(viewer, cell.purpose, by=["R9", "C9"], court_order=COURT_ORDER)
        question, _ = question_of(facts(cell.tier, viewer, cell.purpose, authorizations=[order]))
        verdict = ask(regime(name), question)
        assert verdict.allowed == cell.opens(set(), authorized=False, ordered=True), cell
        alone = order | {"by": ["R9"]}
        question, _ = question_of(facts(cell.tier, viewer, cell.purpose, authorizations=[alone]))
        assert not ask(regime(name), question).allowed, cell


@pytest.mark.parametrize(("name", "viewer"), BY_VIEWER)
def test_needs_are_what_the_table_says_is_missing(name: str, viewer: str) -> None:
    for cell in (cell for cell in cells(name) if cell.viewer == viewer):
        answer = decide(regime(name), facts(cell.tier, viewer, cell.purpose))
        assert answer.released == (cell.word == "open"), cell
        assert {(n.kind, n.from_, n.form, n.officer_id) for n in answer.needs} == cell.needs(), cell
        assert answer.because, cell


@pytest.mark.parametrize("name", bundled_names())
def test_nobody_views_what_nobody_has_classified(name: str) -> None:
    for viewer, purpose in {(cell.viewer, cell.purpose) for cell in cells(name)}:
        for given, _ in worlds(viewer)[-1:]:
            answer = decide(
                regime(name),
                facts("unclassified", viewer, purpose, given, authorizations=[authorization(viewer, purpose)]),
            )
            assert answer.outcome == "refused"
            assert [(n.kind, n.from_) for n in answer.needs] == [("classification", "supervisor")]
            assert "unclassified" in [b.policy_id for b in answer.because]


def test_every_viewer_stands_in_the_table_of_every_regime() -> None:
    for name in bundled_names():
        assert {cell.viewer for cell in cells(name)} == set(VIEWERS)
