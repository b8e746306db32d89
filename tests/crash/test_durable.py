"""Each durable write, and the power cut the moment it returns: what it promised is there afterwards.

Random cuts rarely hit the instant between a rename and the sync of its directory; here the instant is certain.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from daemon.core.settle import FileStat
from daemon.custody.log import CustodyLog, NewEntry
from daemon.dock.ingest.jobs import Job, SignedClip
from daemon.dock.ingest.staging import move_into_place
from daemon.dock.upkeep.custody_copies import CustodyFiles
from daemon.model.custody_actions import CustodyAction
from daemon.model.statements import Seal
from daemon.vault import durable
from daemon.vault.layout import VaultLayout
from tests.crash import power
from tests.kit.agency import CLIP, NOW, sign_key, signed, statement
from tests.kit.promise import scratch

pytestmark = pytest.mark.xdist_group("loop devices")
Promised = Callable[[], bool]


@pytest.fixture(scope="module", params=["ext4", "xfs"])
def disk(request: pytest.FixtureRequest) -> Iterator[power.Disk]:
    why = power.why_not(request.param)
    if why is not None:
        pytest.skip(why)
    with scratch() as folder:
        made = power.Disk(request.param, folder / "image", folder / "disk")
        made.make()
        yield made
        made.drop()


@pytest.fixture
def vault(disk: power.Disk, request: pytest.FixtureRequest) -> VaultLayout:
    layout = VaultLayout(disk.at / request.node.name.replace("/", "_"))
    layout.create()
    return layout


def cut(disk: power.Disk) -> None:
    disk.cut()
    disk.unmount()
    disk.mount()


def a_new_file(vault: VaultLayout) -> Promised:
    path = vault.root / "new"
    durable.write_new(path, b"content")
    durable.fsync_directory(path.parent)
    return lambda: path.read_bytes() == b"content"


def a_replaced_file(vault: VaultLayout) -> Promised:
    path = vault.root / "replaced"
    durable.write_replacing(path, b"old")
    durable.write_replacing(path, b"new")
    return lambda: path.read_bytes() == b"new"


def a_directory(vault: VaultLayout) -> Promised:
    path = vault.root / "a" / "b"
    durable.make_directories(path)
    return path.is_dir


def a_clip_in_its_place(vault: VaultLayout) -> Promised:
    (vault.incoming / CLIP / "tags").mkdir(parents=True)
    durable.write_new(vault.incoming / CLIP / "clip.sealed", b"sealed")
    seal, tag = signed(statement("seal"), "dock-1"), signed(statement("tag"), "dock-1")
    job = Job(CLIP, None, "bay-1", "cam-1", "1234", CLIP, FileStat(6, 0, 0), 0.0, "absent", None, None, None)
    move_into_place(vault, [SignedClip(job, seal, tag, None, b"capture")])
    clip = vault.clip(CLIP)

    def whole() -> bool:
        parts = [clip.sealed.read_bytes(), clip.capture.read_bytes(), clip.seal.read_bytes(), clip.tag(1).read_bytes()]
        return parts == [b"sealed", b"capture", seal.to_bytes(), tag.to_bytes()] and seal.kind == Seal.kind

    return lambda: whole() and not (vault.incoming / CLIP).exists()


def custody_lines(vault: VaultLayout) -> Promised:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        log = CustodyLog(connection, "bwc/agency/dock-1", "dock-1")
        files = CustodyFiles(vault, log, sign_key("dock-1"))
        for _ in range(3):
            log.append(NewEntry(CustodyAction.DOCKED), NOW)
            files.follow()
    return lambda: len((vault.custody / "0.jsonl").read_bytes().splitlines()) == 3


WRITES = (a_new_file, a_replaced_file, a_directory, a_clip_in_its_place, custody_lines)


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.__name__)
def test_is_there_after_the_cut(disk: power.Disk, vault: VaultLayout, write: Callable[[VaultLayout], Promised]) -> None:
    promised = write(vault)
    cut(disk)
    assert promised()


@pytest.mark.parametrize("skipped", ["sync_filesystem", "fsync_directory"])
def test_the_cut_takes_what_was_not_synced(
    disk: power.Disk, vault: VaultLayout, monkeypatch: pytest.MonkeyPatch, skipped: str
) -> None:
    """The tests above can fail: without the sync, what was written is gone."""
    monkeypatch.setattr(durable, skipped, lambda *_: None)
    promised = a_clip_in_its_place(vault)
    cut(disk)
    try:
        kept = promised()
    except FileNotFoundError:
        kept = False
    assert not kept


def test_a_commit_is_there_after_the_cut(disk: power.Disk, vault: VaultLayout) -> None:
    """In a process of its own, which the cut leaves with an open database."""
    path = vault.root / "state" / "db.sqlite"
    code = (
        "import sys, time; from pathlib import Path; from daemon.database.sqlite import Database\n"
        "db = Database(Path(sys.argv[1]), 'CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT);', 1)\n"
        "with db.transaction(): db.set('key', 'value')\n"
        "print('committed', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "committed\n"
        disk.cut()
        process.kill()
        process.wait()
    disk.unmount()
    disk.mount()
    with closing(sqlite3.connect(path)) as again:
        assert again.execute("SELECT value FROM meta").fetchone() == ("value",)
