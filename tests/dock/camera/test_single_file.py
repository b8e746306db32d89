"""Sealing and opening single files by hand."""

from __future__ import annotations

import errno
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daemon.dock.camera.single_file import seal_file, unseal_file
from daemon.model.errors import BwcError, ConfigurationError, SchemaError, TamperedError, VerificationError
from daemon.seal.private_keys import new_pair
from daemon.seal.stream import FIRST, PLAIN
from tests.kit.agency import CLIP, OTHER_CLIP


class Desk:
    def __init__(self, root: Path) -> None:
        new_pair(root / "keys", "policy")
        new_pair(root / "keys", "other")
        self.key, self.other = root / "keys" / "policy.open.pem", root / "keys" / "other.open.pem"
        self.file, self.folder, self.out = root / "a.mp4", root / "sealed", root / "opened.mp4"
        self.file.write_bytes(b"footage")

    def seal(self, clip_id: str = CLIP, dock_id: str = "offline") -> dict[str, Any]:
        return seal_file(self.file, [self.key.with_name("policy.open.pub.pem")], clip_id, self.folder, dock_id)

    def unseal(self, key: Path | None = None) -> dict[str, Any]:
        return unseal_file(self.folder, key or self.key, self.out)

    def rewrite(self, change: Callable[[dict[str, Any]], object]) -> None:
        path = self.folder / "wrapped_keys.json"
        document = json.loads(path.read_bytes())
        change(document)
        path.write_text(json.dumps(document))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("size", [0, 1, FIRST, FIRST + PLAIN + 1])
def test_there_and_back(desk: Desk, size: int) -> None:
    desk.file.write_bytes(random.Random(1).randbytes(size))
    sealed = desk.seal()
    assert sealed.keys() == {"clip_sha256", "sealed_sha256", "bytes", "seconds", "read_back_seconds"}
    assert desk.unseal() == {"clip_sha256": sealed["clip_sha256"], "bytes": size}
    assert desk.out.read_bytes() == desk.file.read_bytes()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda d: d.update(clip_id=OTHER_CLIP), TamperedError),
        (lambda d: d.update(dock_id="dock-1"), TamperedError),
        (lambda d: d.update(capture_sha256="ab" * 32), TamperedError),
        (lambda d: d.update(clip_sha256="ab" * 32), TamperedError),
        (lambda d: d["wrapped_keys"][0].update(ciphertext="AAAA"), TamperedError),
        (lambda d: d["wrapped_keys"][0].update(suite="ROT13"), SchemaError),
        (lambda d: d["wrapped_keys"][0].pop("ciphertext"), SchemaError),
        (lambda d: d.pop("wrapped_keys"), SchemaError),
        (lambda d: d.update(wrapped_keys=[]), ConfigurationError),
    ],
)
def test_changed_papers(desk: Desk, change: Callable[[dict[str, Any]], object], error: type[BwcError]) -> None:
    desk.seal()
    desk.rewrite(change)
    with pytest.raises(error):
        desk.unseal()
    assert not desk.out.exists()


def test_a_changed_file_or_another_key(desk: Desk) -> None:
    desk.seal()
    with pytest.raises(ConfigurationError):
        desk.unseal(desk.other)
    sealed = desk.folder / "clip.sealed"
    data = sealed.read_bytes()
    for changed in (data[:-1], data[:50] + b"\0" + data[51:], b""):
        sealed.write_bytes(changed)
        with pytest.raises(VerificationError):
            desk.unseal()
    sealed.unlink()
    with pytest.raises(ConfigurationError):
        desk.unseal()
    assert not desk.out.exists()


def test_arguments_that_cannot_be_used(desk: Desk) -> None:
    for clip_id, dock_id in ((CLIP.upper(), "offline"), ("../x", "offline"), (CLIP, "a/b")):
        with pytest.raises(ConfigurationError):
            desk.seal(clip_id, dock_id)
    desk.file.unlink()
    with pytest.raises(ConfigurationError):
        desk.seal()
    desk.file.mkdir()
    with pytest.raises(ConfigurationError):
        desk.seal()
    assert not desk.folder.exists()


def test_nothing_is_overwritten(desk: Desk) -> None:
    desk.seal()
    before = (desk.folder / "clip.sealed").read_bytes()
    with pytest.raises(ConfigurationError):
        desk.seal()
    assert (desk.folder / "clip.sealed").read_bytes() == before
    desk.out.write_text("mine")
    with pytest.raises(ConfigurationError):
        desk.unseal()
    assert desk.out.read_text() == "mine"


def test_what_failed_can_be_tried_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(BwcError) as caught:
        desk.seal()
    assert caught.value.hint is not None
    assert list(desk.folder.iterdir()) == []
    monkeypatch.undo()
    desk.seal()
    desk.unseal()
