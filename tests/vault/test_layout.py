"""Where things lie: the contract's names, on a file system that is only pretended."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from pyfakefs.fake_filesystem import FakeFilesystem

from daemon.dock.camera.mounts import Docked, mounted, plain
from daemon.vault.layout import ClipDirectory, VaultLayout
from daemon.vault.reading import MissingError, find_clip, open_sealed, read_document
from tests.kit.agency import CLIP, OTHER_CLIP

VAULT, MOUNTS = Path("/srv/vault"), Path("/run/bwc/mounts")


def test_names_are_the_contracts(fs: FakeFilesystem) -> None:
    layout = VaultLayout(VAULT)
    layout.create()
    assert sorted(path.name for path in VAULT.iterdir()) == ["clips", "custody", "incoming", "quarantine"]
    clip = layout.clip(CLIP)
    inside = [clip.sealed, clip.seal, clip.capture, clip.custody, clip.tag(3), clip.release("o"), clip.revocation("o")]
    assert [str(path.relative_to(VAULT / "clips" / CLIP)) for path in inside] == [
        "clip.sealed",
        "seal.json",
        "capture.json",
        "custody.json",
        "tags/3.json",
        "releases/o.release.json",
        "releases/o.revocation.json",
    ]


def test_a_clip_is_found_in_clips_or_quarantine(fs: FakeFilesystem) -> None:
    layout = VaultLayout(VAULT)
    layout.create()
    assert layout.find(CLIP) is None
    with pytest.raises(MissingError):
        find_clip(VAULT, CLIP)
    fs.create_file(VAULT / "clips" / OTHER_CLIP)  # a file is no clip
    assert layout.find(OTHER_CLIP) is None
    fs.create_dir(VAULT / "quarantine" / CLIP)
    assert layout.find(CLIP) == ClipDirectory(VAULT / "quarantine" / CLIP)
    fs.create_dir(VAULT / "clips" / CLIP)
    assert find_clip(VAULT, CLIP) == ClipDirectory(VAULT / "clips" / CLIP)
    for read in (lambda clip: read_document(clip.seal), open_sealed):
        with pytest.raises(MissingError):
            read(find_clip(VAULT, CLIP))


def test_plain_directories_are_bays(fs: FakeFilesystem) -> None:
    for name in ("bay-1", "bay_2", ".hidden", "with space", "new\nline", "x" * 65):
        fs.create_dir(MOUNTS / name)
    fs.create_file(MOUNTS / "file")
    fs.create_symlink(MOUNTS / "link", MOUNTS / "bay-1")
    found = plain(MOUNTS)
    assert found.keys() == {"bay-1", "bay_2"}
    assert found["bay-1"].path == MOUNTS / "bay-1"
    assert found["bay-1"].identity != found["bay_2"].identity


def line(mount_id: int, device: str, path: str) -> str:
    return f"{mount_id} 25 {device} / {path} rw,nosuid - exfat /dev/sdb1 rw\n"


def test_mounted_bays_from_mountinfo() -> None:
    text = (
        line(25, "259:1", "/")
        + line(40, "8:17", str(MOUNTS / "bay-1"))
        + line(41, "8:33", str(MOUNTS / "bay-2"))
        + line(42, "8:49", str(MOUNTS))
        + line(43, "8:65", str(MOUNTS / "bay-2" / "deeper"))
        + line(44, "8:81", str(MOUNTS / "with\\040space"))
        + line(45, "8:97", str(MOUNTS / "new\\012line"))
        + line(46, "8:98", str(MOUNTS / ".hidden"))
        + "garbage\n\n"
    )
    assert mounted(MOUNTS, text) == {
        "bay-1": Docked("bay-1", MOUNTS / "bay-1", "40/8:17"),
        "bay-2": Docked("bay-2", MOUNTS / "bay-2", "41/8:33"),
    }


def test_a_bay_mounted_twice_is_what_is_on_top() -> None:
    text = line(40, "8:17", str(MOUNTS / "bay-1")) + line(50, "8:33", str(MOUNTS / "bay-1"))
    assert mounted(MOUNTS, text)["bay-1"].identity == "50/8:33"


def test_the_same_camera_docked_again_has_another_identity() -> None:
    first, second = (line(number, "8:17", str(MOUNTS / "bay-1")) for number in (40, 41))
    assert mounted(MOUNTS, first) != mounted(MOUNTS, second)


@pytest.mark.parametrize("name", ["a space", "a\ttab", "a\nline", "back\\slash", "\\040"])
def test_escaped_parents(name: str) -> None:
    spelled = name.replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011").replace("\n", "\\012")
    mounts = Path("/run") / name
    assert mounted(mounts, line(1, "8:1", f"/run/{spelled}/bay-1")).keys() == {"bay-1"}


def test_a_clip_directory_that_leaves_meanwhile_has_no_tags_and_no_orders(tmp_path: Path) -> None:
    """A disposal removes it at any moment of a copy's; here, after the listing has looked whether it is there."""
    clip = ClipDirectory(tmp_path / CLIP)
    for path in (clip.tag(1), clip.tag(2), clip.release("o"), clip.revocation("o"), clip.path / "releases/.new.json"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"{}")
    assert clip.tags() == [clip.tag(1), clip.tag(2)]
    assert clip.orders() == [clip.release("o"), clip.revocation("o")]
    assert (clip.orders("release"), clip.orders("revocation")) == ([clip.release("o")], [clip.revocation("o")])
    with _every_directory_leaving_as_it_is_listed():
        assert (clip.tags(), clip.orders()) == ([], [])


@contextmanager
def _every_directory_leaving_as_it_is_listed() -> Iterator[None]:
    def scandir(path: object) -> NoReturn:
        raise FileNotFoundError(2, "No such file or directory", str(path))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        yield
