"""The custody log's lines in the vault: they follow the store, through torn writes and full files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.custody.log import CustodyLog, NewEntry
from daemon.dock.upkeep import custody_copies
from daemon.dock.upkeep.custody_copies import CustodyFiles
from daemon.model.custody_actions import CustodyAction
from daemon.vault.layout import VaultLayout
from tests.kit.agency import NOW, sign_key


@pytest.fixture
def log() -> Iterator[CustodyLog]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    yield CustodyLog(connection, "bwc/agency/dock-1", "dock-1")
    connection.close()


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VaultLayout:
    monkeypatch.setattr(custody_copies, "LINES_A_FILE", 10)
    layout = VaultLayout(tmp_path)
    layout.create()
    return layout


def grow(log: CustodyLog, count: int) -> None:
    for _ in range(count):
        log.append(NewEntry(CustodyAction.DOCKED), NOW)


def written(vault: VaultLayout) -> bytes:
    paths = sorted(vault.custody.glob("*.jsonl"), key=lambda path: int(path.stem))
    return b"".join(path.read_bytes() for path in paths)


def expected(log: CustodyLog) -> bytes:
    return b"".join(line + b"\n" for line in log.lines())


def test_files_are_named_by_their_first_line(log: CustodyLog, vault: VaultLayout) -> None:
    files = CustodyFiles(vault, log, sign_key("dock-1"))
    for count in (0, 1, 8, 1, 1, 25):
        grow(log, count)
        files.follow()
        assert files.durable_size == log.size
        assert written(vault) == expected(log)
    names = sorted(path.name for path in vault.custody.glob("*.jsonl"))
    assert names == ["0.jsonl", "10.jsonl", "20.jsonl", "30.jsonl"]


@pytest.mark.parametrize("size", [1, 9, 10, 11, 20])
@pytest.mark.parametrize("lost", [0, 1, 30])
def test_a_torn_last_line_is_written_again(log: CustodyLog, vault: VaultLayout, size: int, lost: int) -> None:
    grow(log, size)
    CustodyFiles(vault, log, sign_key("dock-1")).follow()
    newest = max(vault.custody.glob("*.jsonl"), key=lambda path: int(path.stem))
    newest.write_bytes(newest.read_bytes()[: -lost or None])
    grow(log, 2)
    files = CustodyFiles(vault, log, sign_key("dock-1"))
    files.follow()
    assert written(vault) == expected(log)
    assert files.durable_size == log.size
