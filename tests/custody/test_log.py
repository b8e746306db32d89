"""The custody log in its database, a clip's own record, and the export that anybody can verify."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from daemon.custody import tree
from daemon.custody.log import CustodyLog, NewEntry, open_read_only
from daemon.custody.proof import check_consistency
from daemon.custody.record import Records, verify_record
from daemon.custody.verify import leaves_text, verify_export
from daemon.model import strict_json
from daemon.model.custody_actions import CustodyAction
from daemon.model.errors import BadSignatureError, ConfigurationError, TamperedError, VerificationError
from daemon.seal.note import Checkpoint, parse_checkpoint, sign_checkpoint
from tests.kit.agency import CLIP, DIGEST, NOW, OTHER_CLIP, sign_key
from tests.vectors import rfc6962

ORIGIN = "bwc/agency/dock-1"
KEY = sign_key("dock-1")


def fill(log: CustodyLog, count: int) -> None:
    """Entries about two clips and about none, in turns."""
    for number in range(log.size, log.size + count):
        clip_id = (None, CLIP, OTHER_CLIP)[number % 3]
        log.append(
            NewEntry(CustodyAction.INGESTED, clip_id, {"number": number}, (DIGEST,)), NOW + timedelta(seconds=number)
        )


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    yield connection
    connection.close()


@pytest.fixture
def log(database: sqlite3.Connection) -> CustodyLog:
    made = CustodyLog(database, ORIGIN, "dock-1")
    fill(made, 20)
    return made


def test_entries_as_the_contract_has_them(log: CustodyLog) -> None:
    entry = json.loads(log.line(4) or b"")
    assert entry == {
        "schema": "bwc.custody/1",
        "sequence": 4,
        "at": "2023-11-29T22:00:04.000Z",
        "action": "ingested",
        "clip_id": CLIP,
        "actor": "dock-1",
        "detail": {"number": 4},
        "attestations": [DIGEST],
    }
    assert log.line(20) is None
    assert [number for number, _ in log.of_clip(CLIP)] == list(range(1, 20, 3))
    assert list(log.lines(3, 6)) == [log.line(3), log.line(4), log.line(5)]


@pytest.mark.parametrize(
    "entry",
    [
        NewEntry(cast(CustodyAction, "Docked")),
        NewEntry(CustodyAction.DOCKED, "no-clip"),
        NewEntry(CustodyAction.DOCKED, CLIP, {}, ("digest",)),
        NewEntry(CustodyAction.DOCKED, CLIP.upper()),
    ],
)
def test_what_no_reader_would_take_is_not_written(log: CustodyLog, entry: NewEntry) -> None:
    before = log.size
    with pytest.raises(ValueError, match=r"action|UUID|digest"):
        log.append(entry, NOW)
    assert log.size == before


def test_more_lines_than_a_page(log: CustodyLog) -> None:
    fill(log, 1500)
    assert [json.loads(line)["sequence"] for line in log.lines(7)] == list(range(7, 1520))


def test_the_checkpoint_covers_the_lines_by_rfc_6962(log: CustodyLog) -> None:
    lines = list(log.lines())
    for size in (0, 1, 7, 20):
        checkpoint = parse_checkpoint(log.checkpoint(KEY, size), what="checkpoint")
        assert checkpoint == Checkpoint(ORIGIN, size, rfc6962.mth(lines[:size]))
    assert log.inclusion(5, 13) == rfc6962.path(5, lines[:13])
    assert log.consistency(6) == rfc6962.proof(6, lines)


def test_growth_is_consistent(log: CustodyLog) -> None:
    before = parse_checkpoint(log.checkpoint(KEY), what="before")
    fill(log, 13)
    after = parse_checkpoint(log.checkpoint(KEY), what="after")
    check_consistency(before.size, after.size, before.root, after.root, log.consistency(before.size))


def test_it_follows_the_callers_transaction(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "log.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    log = CustodyLog(connection, ORIGIN, "dock-1")
    fill(log, 5)
    connection.execute("BEGIN")
    fill(log, 3)
    connection.execute("ROLLBACK")
    assert log.size == 5
    fill(log, 1)
    with open_read_only(tmp_path / "log.db", ORIGIN, "dock-1") as reader:
        assert reader.size == 6
        fill(log, 1)  # the service goes on while somebody reads
        assert reader.size == 6
        with pytest.raises(sqlite3.OperationalError):
            fill(reader, 1)
    connection.close()


def test_reading_what_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError), open_read_only(tmp_path / "missing.db", ORIGIN, "x"):
        pass
    (tmp_path / "text").write_text("no database, but long enough to be looked at" * 9)
    with pytest.raises(ConfigurationError), open_read_only(tmp_path / "text", ORIGIN, "x") as log:
        log.size  # noqa: B018


def test_a_missing_hash_is_noticed(log: CustodyLog, database: sqlite3.Connection) -> None:
    database.execute("DELETE FROM custody_node WHERE level = 1 AND idx = 3")
    with pytest.raises(TamperedError):
        log.inclusion(5)


def record(log: CustodyLog) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(Records(log, KEY).of(CLIP))
    return made


def verify(document: dict[str, Any], clip_id: str = CLIP, origin: str = ORIGIN, owner: str = "dock-1") -> int:
    data = strict_json.dump(document)
    return len(verify_record(data, clip_id, origin, sign_key(owner).public_key(), what="custody.json").entries)


def test_a_clips_record(log: CustodyLog) -> None:
    assert verify(record(log)) == 7


def test_a_clips_record_checked_by_hand(log: CustodyLog) -> None:
    """Without the product: RFC 9162's walk, and the note's text."""
    document = record(log)
    _, size, root = document["checkpoint"].split("\n")[:3]
    for entry in document["entries"]:
        value = hashlib.sha256(b"\0" + entry["line"].encode()).digest()
        number, last = entry["sequence"], int(size) - 1
        for node in map(base64.b64decode, entry["proof"]):
            if number % 2 or number == last:
                value = hashlib.sha256(b"\1" + node + value).digest()
                while number % 2 == 0 and number:
                    number, last = number >> 1, last >> 1
            else:
                value = hashlib.sha256(b"\1" + value + node).digest()
            number, last = number >> 1, last >> 1
        assert value == base64.b64decode(root)


def _entry(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["entries"][2].update(changes)


@pytest.mark.parametrize(
    "harm",
    [
        lambda d: d["entries"][2].update(line=d["entries"][2]["line"].replace("ingested", "erased")),
        lambda d: d["entries"][2].update(line=d["entries"][1]["line"]),
        lambda d: d["entries"][2].update(proof=d["entries"][1]["proof"]),
        lambda d: d["entries"][2]["proof"].pop(),
        lambda d: d["entries"][2]["proof"].append(d["entries"][2]["proof"][0]),
        lambda d: d["entries"][2]["proof"].insert(0, "AAAA"),
        _entry(sequence=8),
        _entry(sequence=10**9),
        _entry(line=""),
        lambda d: d.update(clip_id=OTHER_CLIP),
        lambda d: d.update(checkpoint=d["checkpoint"].replace("\n20\n", "\n21\n")),
        lambda d: d.update(checkpoint=sign_checkpoint(Checkpoint(ORIGIN, 20, tree.EMPTY_ROOT), KEY)),
        lambda d: d.update(checkpoint=sign_checkpoint(Checkpoint(ORIGIN, 20, tree.EMPTY_ROOT), sign_key("chief"))),
        lambda d: d.pop("entries"),
        lambda d: d.update(entries=[{}]),
    ],
)
def test_a_changed_record(log: CustodyLog, harm: Callable[[dict[str, Any]], None]) -> None:
    document = record(log)
    harm(document)
    with pytest.raises(VerificationError):
        verify(document)


def test_a_record_of_another_clip_dock_or_key(log: CustodyLog) -> None:
    with pytest.raises(TamperedError):
        verify(record(log), OTHER_CLIP)
    with pytest.raises(BadSignatureError):
        verify(record(log), origin="bwc/agency/dock-2")
    with pytest.raises(BadSignatureError):
        verify(record(log), owner="dock-2")


def test_an_entry_about_another_clip_proves_nothing_here(log: CustodyLog) -> None:
    """Properly proven, but smuggled in from another clip's record."""
    other = json.loads(Records(log, KEY).of(OTHER_CLIP))
    with pytest.raises(TamperedError):
        verify(record(log) | {"entries": other["entries"]})


class Export:
    def __init__(self, log: CustodyLog, folder: Path) -> None:
        self.lines, self.leaves = folder / "custody.jsonl", folder / "custody.leaves"
        self.note = log.checkpoint(KEY)
        self.lines.write_bytes(b"".join(line + b"\n" for line in log.lines()))
        self.leaves.write_text("".join(leaves_text(log.lines())))

    def verify(self, leaves: bool = True) -> Checkpoint:
        return verify_export(self.lines, self.note, KEY.public_key(), self.leaves if leaves else None)

    def problem(self, leaves: bool = True) -> str:
        with pytest.raises(TamperedError) as caught:
            self.verify(leaves)
        return str(caught.value)


@pytest.fixture
def export(log: CustodyLog, tmp_path: Path) -> Export:
    return Export(log, tmp_path)


def test_an_export_verifies(export: Export) -> None:
    assert export.verify().size == export.verify(leaves=False).size == 20


def test_an_empty_export(tmp_path: Path) -> None:
    connection = sqlite3.connect(":memory:")
    assert Export(CustodyLog(connection, ORIGIN, "dock-1"), tmp_path).verify().size == 0
    connection.close()


def test_the_very_entry_is_named(export: Export) -> None:
    text = export.lines.read_text()
    export.lines.write_text(text.replace('"number":13', '"number":14'))
    assert "entry 13" in export.problem()
    assert "entry 12" not in export.problem()
    assert str(export.lines) in export.problem(leaves=False)


@pytest.mark.parametrize(
    "harm",
    [
        lambda lines: lines[:-1],
        lambda lines: lines[1:],
        lambda lines: [*lines, lines[-1]],
        lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]],
        lambda lines: [*lines[:4], b"no json\n", *lines[5:]],
        lambda lines: [*lines[:-1], lines[-1][:-1]],
        lambda lines: [*lines[:4], b"\n", *lines[5:]],
    ],
    ids=["one less", "first gone", "one more", "swapped", "no json", "torn", "emptied"],
)
@pytest.mark.parametrize("leaves", [True, False])
def test_a_changed_export(export: Export, harm: Callable[[list[bytes]], list[bytes]], leaves: bool) -> None:
    export.lines.write_bytes(b"".join(harm(export.lines.read_bytes().splitlines(keepends=True))))
    export.problem(leaves)


def test_a_shortened_log_is_told_as_such(export: Export) -> None:
    export.lines.write_bytes(b"".join(export.lines.read_bytes().splitlines(keepends=True)[:-1]))
    assert "19" in export.problem()
    assert "20" in export.problem()


def test_every_flipped_bit_of_a_line_is_found(export: Export) -> None:
    data = export.lines.read_bytes()
    for at in range(0, len(data), 97):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        export.lines.write_bytes(changed)
        number = data.count(b"\n", 0, at)
        assert f"entry {number} " in export.problem() or data[at : at + 1] == b"\n"
        export.problem(leaves=False)


@pytest.mark.parametrize("content", ["", "00" * 32 + "\n", "zz\n", "x" * 100 + "\n"])
def test_leaves_that_do_not_lead_to_the_checkpoint_blame_nobody(export: Export, content: str) -> None:
    export.leaves.write_text(content)
    assert export.verify().size == 20


def test_an_export_signed_by_somebody_else(export: Export) -> None:
    with pytest.raises(BadSignatureError):
        verify_export(export.lines, export.note, sign_key("chief").public_key(), None)
    with pytest.raises(ConfigurationError):
        verify_export(export.lines.with_name("missing"), export.note, KEY.public_key(), None)
