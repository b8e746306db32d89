"""Staging: room first, everything durable before anything is moved, and a clip complete in its place or absent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.core.settle import FileStat
from daemon.dock.ingest import staging
from daemon.dock.ingest.jobs import Job, SignedClip
from daemon.model.errors import NotDurableError
from daemon.seal.stream import sealed_size
from daemon.vault import durable
from daemon.vault.layout import VaultLayout
from daemon.vault.space import DiskFullError, free_bytes
from tests.kit.agency import CLIP, OTHER_CLIP, signed, statement


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[VaultLayout]:
    layout = VaultLayout(tmp_path)
    layout.create()
    yield layout
    layout.incoming.chmod(0o755)


def sealed(vault: VaultLayout, clip_id: str, integrity: str = "verified", capture: bytes | None = b"{}") -> SignedClip:
    """A clip that the reader has sealed into staging, and its statements."""
    (staging.reserve(vault, clip_id, 7, 0) / "clip.sealed").write_bytes(b"sealed")
    job = Job(clip_id, None, "bay-1", "cam-1", "officer", clip_id, FileStat(7, 0, 0), 0.0, "verified", None, None, None)
    seal = signed(statement("seal", clip_id=clip_id, integrity=integrity), "dock-1")
    return SignedClip(job, seal, signed(statement("tag", clip_id=clip_id), "dock-1"), None, capture)


def test_a_reserved_directory_is_empty_whatever_lay_there(vault: VaultLayout) -> None:
    (staging.reserve(vault, CLIP, 7, 0) / "clip.sealed").write_bytes(b"of an attempt before")
    again = staging.reserve(vault, CLIP, 7, 0)
    assert [path.name for path in again.iterdir()] == ["tags"]


def test_what_would_leave_less_than_the_reserve_is_not_begun(vault: VaultLayout) -> None:
    with pytest.raises(DiskFullError):
        staging.reserve(vault, CLIP, 7, free_bytes(vault.root) + (1 << 40))
    with pytest.raises(DiskFullError):
        staging.reserve(vault, CLIP, free_bytes(vault.root) + (1 << 40), 0)
    assert list(vault.incoming.iterdir()) == []


def test_the_reserve_counts_the_sealed_size(vault: VaultLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[int] = []

    def has_room(_: Path, size: int) -> bool:
        wanted.append(size)
        return True

    monkeypatch.setattr(staging, "has_room", has_room)
    staging.reserve(vault, CLIP, 5 << 20, 1000)
    assert wanted == [sealed_size(5 << 20) + 1000]


def test_discarding_what_is_not_there_is_nothing(vault: VaultLayout) -> None:
    staging.discard(vault, CLIP)
    staging.reserve(vault, CLIP, 7, 0)
    staging.discard(vault, CLIP)
    assert list(vault.incoming.iterdir()) == []


def test_what_cannot_be_discarded_stops_the_dock(vault: VaultLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else an attempt with an earlier key might be taken for this one's."""
    staging.reserve(vault, CLIP, 7, 0)

    def refuse(_: Path) -> None:
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr("shutil.rmtree", refuse)
    with pytest.raises(NotDurableError):
        staging.reserve(vault, CLIP, 7, 0)


def test_each_clip_gets_its_files_and_goes_where_its_integrity_says(vault: VaultLayout) -> None:
    good, doubtful = sealed(vault, CLIP), sealed(vault, OTHER_CLIP, "unsigned", None)
    staging.move_into_place(vault, [good, doubtful])
    assert list(vault.incoming.iterdir()) == []
    here, there = vault.clip(CLIP), vault.clip(OTHER_CLIP, "quarantine")
    assert (here.sealed.read_bytes(), here.capture.read_bytes()) == (b"sealed", b"{}")
    assert (here.seal.read_bytes(), here.tag(1).read_bytes()) == (good.seal.to_bytes(), good.tag.to_bytes())
    assert there.seal.read_bytes() == doubtful.seal.to_bytes()
    assert not there.capture.exists(), "there was none on the camera"


def test_everything_is_synced_before_the_first_move(vault: VaultLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []
    sync, rename = durable.sync_filesystem, Path.rename

    def syncing(path: Path) -> None:
        written = sorted(file.name for file in vault.incoming.rglob("*.json"))
        assert written == ["1.json", "1.json", "capture.json", "capture.json", "seal.json", "seal.json"]
        happened.append("sync")
        sync(path)

    def renaming(path: Path, target: Path) -> Path:
        happened.append("rename")
        return rename(path, target)

    monkeypatch.setattr(durable, "sync_filesystem", syncing)
    monkeypatch.setattr(Path, "rename", renaming)
    staging.move_into_place(vault, [sealed(vault, CLIP), sealed(vault, OTHER_CLIP)])
    assert happened == ["sync", "rename", "rename"]


def test_a_full_disk_moves_nothing_of_the_batch(vault: VaultLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = [sealed(vault, CLIP), sealed(vault, OTHER_CLIP)]
    write = durable.write_new

    def filling(path: Path, *given: object, **named: object) -> None:
        if path == vault.incoming / OTHER_CLIP / "seal.json":
            raise OSError(28, os.strerror(28))
        write(path, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(durable, "write_new", filling)
    with pytest.raises(DiskFullError):
        staging.move_into_place(vault, clips)
    assert vault.find(CLIP) is None and vault.find(OTHER_CLIP) is None


def test_a_move_that_fails_leaves_the_outcome_unknown(vault: VaultLayout) -> None:
    """A clip that lies in its place already is not replaced by another."""
    clip = sealed(vault, CLIP)
    vault.clip(CLIP).path.mkdir()
    vault.clip(CLIP).sealed.write_bytes(b"of another clip")
    with pytest.raises(NotDurableError):
        staging.move_into_place(vault, [clip])
    assert vault.clip(CLIP).sealed.read_bytes() == b"of another clip"
