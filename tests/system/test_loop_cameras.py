"""Cameras that are real filesystems, exFAT and ext4, through the real dock: taken in, receipted, erased, pulled out."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.demo.world import World
from tests.kit.precinct import Precinct, running, wait_until

pytestmark = [
    pytest.mark.xdist_group("loop devices"),
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root"),
]
_TOOLS = {"exfat": ("mkfs.exfat", "mount.exfat-fuse"), "ext4": ("mkfs.ext4",)}


@pytest.fixture(scope="module", autouse=True)
def _can_mount(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips where loop devices are not to be had; CI must have them, and the tools."""
    image = tmp_path_factory.mktemp("loop") / "image"
    image.write_bytes(bytes(1 << 20))
    lacking = [tool for tools in _TOOLS.values() for tool in tools if shutil.which(tool) is None]
    made = subprocess.run(["losetup", "--find", "--show", str(image)], capture_output=True, text=True)
    if made.returncode == 0:
        subprocess.run(["losetup", "--detach", made.stdout.strip()], check=True)
    if made.returncode != 0 or lacking:
        assert not os.environ.get("CI"), f"CI must have loop devices and {lacking}"
        pytest.skip(f"needs loop devices and {lacking}")


def only_mounts(world: World) -> None:
    path = world.config / "dock.toml"
    path.write_text(path.read_text().replace("plain_directories = true", "plain_directories = false"))


@contextmanager
def precinct_with(root: Path, **ingest: Any) -> Iterator[Precinct]:
    with running(root / "world", before=only_mounts, **ingest) as made:
        try:
            yield made
        finally:
            for bay in made.world.mounts.iterdir():
                if bay.is_mount():
                    subprocess.run(["umount", "--lazy", str(bay)], check=True)


@pytest.fixture(scope="module")
def precinct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Precinct]:
    with precinct_with(tmp_path_factory.mktemp("loops")) as made:
        yield made


@pytest.fixture(scope="module")
def erasing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Precinct]:
    """The dock erases, after two seconds."""
    with precinct_with(tmp_path_factory.mktemp("erasing"), erase='"dock"', erase_after_seconds=2) as made:
        yield made


def dock(precinct: Precinct, bay: str, filesystem: str, *options: str, **more: Any) -> dict[str, Any]:
    loop = ("--loop", "--filesystem", filesystem, "--loop-bytes", str(96 << 20), "--timeout", "40")
    return precinct.dock_camera(bay, *loop, *options, **more)


def kind(point: Path) -> str:
    listed = subprocess.run(["findmnt", "-n", "-o", "FSTYPE", str(point)], capture_output=True, text=True, check=True)
    return listed.stdout.strip().splitlines()[-1]


def undock(precinct: Precinct, bay: str) -> None:
    """Out of the bay, and let go by the dock: its loop device goes by itself."""
    subprocess.run(["umount", "--lazy", str(precinct.world.mounts / bay)], check=True)
    precinct.bay(bay, "empty")
    wait_until(lambda: not devices(precinct, bay), "the loop device to go")


def devices(precinct: Precinct, bay: str) -> str:
    listed = subprocess.run(["losetup", "--list", "--noheadings"], capture_output=True, text=True, check=True).stdout
    return "".join(line for line in listed.splitlines() if f"{precinct.world.root}/cameras/{bay}." in line)


@pytest.mark.parametrize(("filesystem", "shown"), [("exfat", {"exfat", "fuseblk"}), ("ext4", {"ext4"})])
def test_taken_in_receipted_and_undocked(precinct: Precinct, filesystem: str, shown: set[str]) -> None:
    bay = f"bay-{filesystem}"
    point = precinct.world.mounts / bay
    docked = dock(precinct, bay, filesystem, "--bytes", "3000000", "--count", "2", "--stay")
    assert kind(point) in shown
    assert [(clip["receipt"], clip["erased"]) for clip in docked["clips"]] == [("verified", True)] * 2
    assert len(list((point / "receipts").iterdir())) == 2
    assert precinct.bay(bay, "done")["camera_serial"] == "cam-0001"
    for clip in docked["clips"]:
        assert precinct.notice(clip["clip_id"])["clip_sha256"] == clip["sha256"]
    undock(precinct, bay)


@pytest.mark.parametrize("filesystem", ["exfat", "ext4"])
def test_the_dock_erases(erasing: Precinct, filesystem: str) -> None:
    """A camera that never erases itself."""
    bay = f"bay-{filesystem}"
    point = erasing.world.mounts / bay
    docked = dock(erasing, bay, filesystem, "--bytes", "3000000", "--count", "2", "--fault", "keep", "--stay")
    wait_until(lambda: list((point / "clips").iterdir()) == [], "the dock to erase")
    ids = {clip["clip_id"] for clip in docked["clips"]}
    assert {path.name.removesuffix(".receipt.json") for path in (point / "receipts").iterdir()} == ids
    for clip_id in ids:
        assert erasing.await_custody(action="erased", clip_id=clip_id)["detail"]["by"] == "dock"
        assert erasing.notice(clip_id)["lock"]["state"] == "locked"
    erasing.bay(bay, "done")
    undock(erasing, bay)


def test_known_again_after_it_was_mounted_anew(erasing: Precinct) -> None:
    """exFAT keeps no inodes: a clip that is only known again is read before it is erased, and not taken in twice."""
    bay = "bay-again"
    point = erasing.world.mounts / bay
    [clip] = dock(erasing, bay, "exfat", "--bytes", "2000000", "--until", "docked", "--stay")["clips"]
    wait_until((point / "receipts" / f"{clip['clip_id']}.receipt.json").exists, "the receipt")
    undock(erasing, bay)
    dock(erasing, bay, "exfat", "--count", "0", "--until", "docked", "--stay")
    wait_until(lambda: list((point / "clips").iterdir()) == [], "the dock to erase")
    assert len(erasing.custody(action="ingested", clip_id=clip["clip_id"])) == 1
    undock(erasing, bay)


def test_pulled_out_while_it_is_read(precinct: Precinct) -> None:
    bay = "bay-pulled"
    docked = dock(precinct, bay, "exfat", "--bytes", "60000000", "--fault", "yank", "--yank-after", "0.1")
    assert docked["yanked"]
    [clip] = docked["clips"]
    precinct.bay(bay, "empty")
    again = dock(precinct, bay, "exfat", "--count", "0")
    assert clip["erased"] or [one["erased"] for one in again["clips"]] == [True]
    assert len(precinct.custody(action="ingested", clip_id=clip["clip_id"])) == 1
    assert list((precinct.world.vault / "incoming").iterdir()) == []


def test_a_bay_that_is_taken(precinct: Precinct) -> None:
    point = precinct.world.mounts / "bay-taken"
    point.mkdir()
    (point / "file").write_text("x")
    options = ("--loop", "--bytes", "1000", "--until", "docked")
    ran = precinct.stage.finish(precinct.camera("bay-taken", *options))
    assert ran.code == 1 and "taken" in ran.words
    assert not point.is_mount()
