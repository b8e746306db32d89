"""One bit at a time: every file of a vault, and every row of the dock's own custody log, must be missed when changed.

A flip counts as found only when the check names the very file (or row) that was changed.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from daemon.custody.vault_check import check_store
from tests.kit.vault import SmallVault

Flip = tuple[str, Callable[[], bool]]


def run(count: int, seed: int) -> dict[str, Any]:
    """`count` flips, spread evenly over the files and the rows, wherever in them chance says."""
    chance = random.Random(seed)
    found, missed = 0, []
    with tempfile.TemporaryDirectory() as folder, _vault(Path(folder)) as vault:
        assert not vault.findings(), "a good vault"
        assert not list(check_store(vault.log, "store")), "a good store"
        places = [*_files(vault), *_rows(vault)]
        for number in range(count):
            name, flip_and_look = places[number % len(places)](chance)
            if flip_and_look():
                found += 1
            else:
                missed.append(name)
        assert not vault.findings(), "put back"
    return {"bit_flips": count, "bit_flips_found": found, "missed": missed}


@contextmanager
def _vault(root: Path) -> Iterator[SmallVault]:
    vault = SmallVault(root)
    yield vault
    vault.connection.close()


def _files(vault: SmallVault) -> list[Callable[[random.Random], Flip]]:
    paths = sorted(path for path in vault.root.rglob("*") if path.is_file() and path.stat().st_size)
    assert {path.suffix for path in paths} == {".sealed", ".json", ".jsonl", ".txt"}
    return [lambda chance, path=path: _in_file(vault, path, chance) for path in paths]  # type: ignore[misc]


def _in_file(vault: SmallVault, path: Path, chance: random.Random) -> Flip:
    good = path.read_bytes()
    at, bit = chance.randrange(len(good)), chance.randrange(8)

    def flip_and_look() -> bool:
        path.write_bytes(good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :])
        try:
            return any(f.path == str(path) or str(path) in f.problem for f in vault.findings())
        finally:
            path.write_bytes(good)

    return f"{path.relative_to(vault.root)} byte {at} bit {bit}", flip_and_look


def _rows(vault: SmallVault) -> list[Callable[[random.Random], Flip]]:
    """The store's custody entries, and the hashes it keeps of them."""
    return [
        lambda chance: _in_row(vault, "custody_entry", "line", "sequence", chance),
        lambda chance: _in_row(vault, "custody_node", "hash", "level * 1000 + idx", chance),
    ]


def _in_row(vault: SmallVault, table: str, column: str, key: str, chance: random.Random) -> Flip:
    db = vault.connection
    row, value = chance.choice(db.execute(f"SELECT {key}, {column} FROM {table} ORDER BY 1").fetchall())
    at, bit = chance.randrange(len(value)), chance.randrange(8)
    change = f"UPDATE {table} SET {column} = ? WHERE {key} = ?"

    def flip_and_look() -> bool:
        db.execute(change, (value[:at] + bytes([value[at] ^ 1 << bit]) + value[at + 1 :], row))
        try:
            named = f"entry {row} " if table == "custody_entry" else ("is not what was logged", "was changed")
            return any(_says(finding.problem, named) for finding in check_store(vault.log, "store"))
        finally:
            db.execute(change, (value, row))

    return f"{table} {row} byte {at} bit {bit}", flip_and_look


def _says(problem: str, named: str | tuple[str, ...]) -> bool:
    return named in problem if isinstance(named, str) else any(word in problem for word in named)
