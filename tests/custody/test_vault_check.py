"""Checking a vault: whatever bit is flipped, it is found, and the file is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.custody.evidence import verify_clip
from daemon.model.errors import BwcError, VerificationError
from tests.kit.agency import CLIP, NOW, OTHER_CLIP, signed, statement, trust
from tests.kit.vault import SmallVault


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallVault]:
    made = SmallVault(tmp_path_factory.mktemp("vault") / "pristine")
    yield made
    made.connection.close()


@pytest.fixture
def vault(pristine: SmallVault) -> Iterator[SmallVault]:
    """The vault, put back as it was afterwards."""
    kept = pristine.root.with_name("kept")
    shutil.copytree(pristine.root, kept)
    yield pristine
    shutil.rmtree(pristine.root)
    kept.rename(pristine.root)


def named(vault: SmallVault, path: Path) -> list[str]:
    """The findings that name this file."""
    return [f.problem for f in vault.findings() if f.path == str(path) or str(path) in f.problem]


FILES: dict[str, Callable[[SmallVault], Path]] = {
    "seal": lambda v: v.clip.seal,
    "capture": lambda v: v.clip.capture,
    "tag": lambda v: v.clip.tag(1),
    "custody": lambda v: v.clip.custody,
    "release": lambda v: v.clip.release("order-1"),
    "revocation": lambda v: v.clip.revocation("order-1"),
    "quarantined seal": lambda v: v.doubtful.seal,
    "quarantined capture": lambda v: v.doubtful.capture,
    "quarantined tag": lambda v: v.doubtful.tag(1),
    "log": lambda v: v.layout.custody / "0.jsonl",
    "checkpoint": lambda v: v.layout.checkpoint,
}


def test_a_good_vault(vault: SmallVault) -> None:
    assert vault.findings() == []
    assert vault.findings(read_data=False) == []


@pytest.mark.parametrize("which", FILES)
def test_flipped_bits_in_documents(vault: SmallVault, which: str) -> None:
    path = FILES[which](vault)
    data = path.read_bytes()
    for at in range(0, len(data), 1 + len(data) // 300):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        path.write_bytes(changed)
        assert named(vault, path), f"byte {at}: {bytes(data[at - 5 : at + 5])!r} -> {chr(changed[at])!r}"


@pytest.mark.parametrize("at", [0, 1, 39, 40, 4000, -16, -1])
@pytest.mark.parametrize("which", ["clip", "doubtful"])
def test_flipped_bits_in_sealed_files(vault: SmallVault, which: str, at: int) -> None:
    path = getattr(vault, which).sealed
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1
    path.write_bytes(data)
    [finding] = vault.findings()
    assert (finding.path, finding.clip_id) == (str(path), path.parent.name)
    assert vault.findings(read_data=False) == []


def test_an_entry_of_the_log_is_named(vault: SmallVault) -> None:
    path = vault.layout.custody / "0.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"revision":1', b'"revision":2', 1))
    [finding] = vault.findings()
    assert "entry 2 " in finding.problem


@pytest.mark.parametrize("file", ["sealed", "seal", "capture", "custody"])
def test_a_missing_file(vault: SmallVault, file: str) -> None:
    path = getattr(vault.clip, file)
    path.unlink()
    assert named(vault, path)


def test_truncated_missing_and_foreign_things(vault: SmallVault) -> None:
    sealed = vault.clip.sealed
    sealed.write_bytes(sealed.read_bytes()[:-1])
    vault.doubtful.tag(1).unlink()
    (vault.root / "clips" / "notes").mkdir()
    lines = vault.layout.custody / "0.jsonl"
    lines.write_bytes(b"".join(lines.read_bytes().splitlines(keepends=True)[:-1]))
    paths = {finding.path for finding in vault.findings(read_data=False)}
    assert paths == {str(sealed), str(vault.doubtful.path / "tags"), str(vault.root / "clips" / "notes"), str(lines)}


def test_one_clip_alone(vault: SmallVault) -> None:
    vault.doubtful.sealed.write_bytes(b"")
    assert vault.findings({CLIP}) == []
    assert [finding.clip_id for finding in vault.findings({OTHER_CLIP})] == [OTHER_CLIP]


SWAPS: dict[str, Callable[[SmallVault], bytes]] = {
    "seal": lambda v: v.doubtful.seal.read_bytes(),
    "capture": lambda v: v.doubtful.capture.read_bytes(),
    "custody": lambda v: v.doubtful.custody.read_bytes(),
    "tag": lambda v: v.doubtful.tag(1).read_bytes(),
    "a seal by another dock": lambda v: signed(_seal_of(v, dock_id="dock-2"), "dock-2").to_bytes(),
    "a seal that was never recorded": lambda v: signed(_seal_of(v, bay="bay-9"), "dock-1").to_bytes(),
    "a capture by another camera": lambda v: signed(statement("capture"), "cam-2").to_bytes(),
}


def _seal_of(vault: SmallVault, **changes: Any) -> Any:
    from daemon.model.statements import Seal
    from daemon.seal import envelope as envelopes

    seal = envelopes.parse(vault.clip.seal.read_bytes(), what="seal").statement(Seal)
    return Seal.model_validate(seal.plain() | changes)


@pytest.mark.parametrize("what", SWAPS)
def test_properly_signed_but_not_this_clips(vault: SmallVault, what: str) -> None:
    kind = next(kind for kind in ("seal", "capture", "custody", "tag") if kind in what)
    path = vault.clip.tag(1) if kind == "tag" else getattr(vault.clip, kind)
    path.write_bytes(SWAPS[what](vault))
    if what == "a seal by another dock":  # whose log is another: then the clip's custody is not of that log
        path = vault.clip.custody
    assert named(vault, path)


def test_a_viewer_verifies_the_same(vault: SmallVault) -> None:
    evidence = verify_clip(vault.clip, CLIP, "agency", trust())
    assert evidence.capture is not None
    assert [entry.action for entry in evidence.custody.entries] == ["ingested", "tagged"]
    assert verify_clip(vault.doubtful, OTHER_CLIP, "agency", trust()).capture is None
    with pytest.raises(VerificationError):
        verify_clip(vault.clip, CLIP, "another-agency", trust())
    with pytest.raises(VerificationError):
        verify_clip(vault.clip, OTHER_CLIP, "agency", trust())


def test_what_was_signed_before_a_revocation_still_holds(vault: SmallVault) -> None:
    from tests.kit.agency import revoked

    later = trust(revoked=[revoked("dock-1", NOW), revoked("cam-1", NOW)])
    assert verify_clip(vault.clip, CLIP, "agency", later).capture is not None
    with pytest.raises(BwcError):
        verify_clip(vault.clip, CLIP, "agency", trust(revoked=[revoked("dock-1", statement("seal").ingested_at)]))
