"""A witness finds every way in which a log stops being what it was."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from daemon.custody.log import CustodyLog, NewEntry
from daemon.custody.witness import Alarm, Cosigner, WitnessedLog
from daemon.model.custody_actions import CustodyAction
from daemon.model.errors import BadSignatureError
from daemon.seal.note import parse_checkpoint, verify_checkpoint, verify_cosignature
from tests.kit.agency import NOW, sign_key

NAME = "monitor.example"
DOCK = sign_key("dock-1")
WITNESS = sign_key("officer")


class Pair:
    """A dock's log and its witness; what the dock says is passed on line by line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = self._new_log()
        self.witness = self._open()

    def _new_log(self) -> CustodyLog:
        return CustodyLog(sqlite3.connect(":memory:", isolation_level=None), "bwc/agency/dock-1", "dock-1")

    def _open(self) -> WitnessedLog:
        return WitnessedLog(self.folder, "dock-1", Cosigner(NAME, WITNESS))

    def reopen(self) -> None:
        self.witness.close()
        self.witness = self._open()

    def grow(self, count: int, action: CustodyAction = CustodyAction.DOCKED) -> None:
        for _ in range(count):
            self.log.append(NewEntry(action), NOW)

    def say(self, start: int = 0, end: int | None = None) -> list[str]:
        alarms: list[Alarm] = []
        for sequence, line in enumerate(self.log.lines(start, end), start):
            alarms += self.witness.entry(sequence, line, NOW)
        return [alarm.problem for alarm in alarms]

    def sign(self, size: int | None = None) -> list[str]:
        note = self.log.checkpoint(DOCK, size)
        return [a.problem for a in self.witness.checkpoint(parse_checkpoint(note, what="note"), note, NOW)]

    def rewrite(self, keep: int) -> None:
        """Another log with the same beginning."""
        lines = list(self.log.lines())
        self.log = self._new_log()
        for line in lines[:keep]:
            entry = json.loads(line)
            self.log.append(NewEntry(CustodyAction(entry["action"])), NOW)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    made.witness.close()


def kept(pair: Pair) -> str:
    return (pair.folder / "dock-1" / "checkpoint.txt").read_text("utf-8")


def test_a_growing_log_is_cosigned(pair: Pair) -> None:
    for count in (1, 3, 0, 8):
        pair.grow(count)
        start = pair.witness.size
        assert pair.say(start) + pair.sign() == []
        assert verify_checkpoint(kept(pair), DOCK.public_key(), what="kept").size == pair.log.size
        assert verify_cosignature(kept(pair), NAME, WITNESS.public_key(), what="kept") == NOW.replace(microsecond=0)
        pair.reopen()


def test_the_cosignature_is_c2sps(pair: Pair) -> None:
    """Checked by hand from the specification, without our code."""
    pair.grow(2)
    pair.say()
    pair.sign()
    text, signatures = kept(pair).split("\n\n")
    name, blob = signatures.splitlines()[1].removeprefix("— ").split(" ")
    raw, key = base64.b64decode(blob), WITNESS.public_key()
    public = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert name == NAME
    assert raw[:4] == hashlib.sha256(NAME.encode() + b"\n\x04" + public).digest()[:4]
    seconds = int.from_bytes(raw[4:12], "big")
    message = f"cosignature/v1\ntime {seconds}\n{text}\n".encode()
    key.verify(raw[12:], message)
    with pytest.raises(InvalidSignature):
        key.verify(raw[12:], message + b" ")


def test_a_cosignature_by_somebody_else(pair: Pair) -> None:
    pair.grow(1)
    pair.say()
    pair.sign()
    with pytest.raises(BadSignatureError):
        verify_cosignature(kept(pair), NAME, DOCK.public_key(), what="kept")
    with pytest.raises(BadSignatureError):
        verify_cosignature(kept(pair), "another.example", WITNESS.public_key(), what="kept")


def test_entries_in_any_order_and_twice(pair: Pair) -> None:
    pair.grow(6)
    lines = list(pair.log.lines())
    assert pair.sign() == []  # before its entries: kept back
    assert pair.witness.missing == 6
    for sequence in (3, 0, 0, 5, 1, 4, 2, 2):
        assert pair.witness.entry(sequence, lines[sequence], NOW) == []
    assert (pair.witness.size, pair.witness.missing) == (6, 0)
    assert parse_checkpoint(kept(pair), what="kept").size == 6


@pytest.mark.parametrize("reopened", [False, True])
def test_a_rewritten_entry(pair: Pair, reopened: bool) -> None:
    pair.grow(5)
    pair.say()
    pair.sign()
    pair.rewrite(keep=2)
    pair.grow(3, CustodyAction.REFUSED)
    if reopened:
        pair.reopen()
    assert [problem.split(":")[0] for problem in pair.say()] == [f"entry {n} is not what it was" for n in (2, 3, 4)]
    assert "rewritten or forked" in pair.sign()[0]
    evidence = [json.loads(line) for line in (pair.folder / "dock-1" / "alarms.jsonl").read_text().splitlines()]
    assert [alarm["sequence"] for alarm in evidence[:3]] == [2, 3, 4]
    assert parse_checkpoint(evidence[3]["heard"], what="heard").size == 5


def test_a_fork_between_two_checkpoints(pair: Pair) -> None:
    """The dock shows us one log and somebody else another: of the same size, or longer."""
    pair.grow(5)
    pair.say()
    pair.sign()
    pair.rewrite(keep=4)
    pair.grow(1, CustodyAction.REFUSED)
    assert "does not fit" in pair.sign()[0]
    pair.grow(2)
    pair.say(start=5)
    assert "does not fit" in pair.sign()[0]
    assert parse_checkpoint(kept(pair), what="kept").size == 5


def test_a_truncated_log(pair: Pair) -> None:
    pair.grow(5)
    pair.say()
    pair.sign()
    assert pair.sign(3) == ["its log has 3 entries and had 5 before: truncated or set back"]
    assert pair.sign(3) == []  # the same again is no news
    assert parse_checkpoint(kept(pair), what="kept").size == 5


def test_a_crash_while_appending(pair: Pair) -> None:
    pair.grow(4)
    pair.say()
    leaves = pair.folder / "dock-1" / "leaves"
    leaves.write_bytes(leaves.read_bytes()[:-5])
    pair.reopen()
    assert pair.witness.size == 3
    pair.say()
    assert (pair.witness.size, pair.sign()) == (4, [])


def test_time_in_the_cosignature_is_the_clocks(pair: Pair) -> None:
    pair.grow(1)
    pair.say()
    note = pair.log.checkpoint(DOCK)
    pair.witness.checkpoint(parse_checkpoint(note, what="note"), note, NOW + timedelta(hours=1))
    assert verify_cosignature(kept(pair), NAME, WITNESS.public_key(), what="kept") > NOW
