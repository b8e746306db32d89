"""Cameras as real mounts: docking is what /proc/self/mountinfo says, an empty directory is no camera."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.cli.demo.world import World
from tests.kit.precinct import Precinct, running, wait_until

pytestmark = [
    pytest.mark.xdist_group("real-mount"),
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root"),
]


@pytest.fixture(scope="module")
def precinct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Precinct]:
    def only_mounts(world: World) -> None:
        path = world.config / "dock.toml"
        path.write_text(path.read_text().replace("plain_directories = true", "plain_directories = false"))

    with running(tmp_path_factory.mktemp("mounts") / "world", before=only_mounts) as precinct:
        yield precinct


def mount(point: Path) -> None:
    point.mkdir(exist_ok=True)
    options = "nosuid,nodev,noexec,size=64m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "camera", str(point)], check=True)


def unmount(point: Path, *options: str) -> None:
    subprocess.run(["umount", *options, str(point)], check=True)


def test_a_mounted_camera_is_taken_in_receipted_and_undocked(precinct: Precinct) -> None:
    point = precinct.world.mounts / "bay-1"
    mount(point)
    try:
        docked = precinct.dock_camera("bay-1", "--bytes", "3000000", "--stay", "--timeout", "40")
        (clip,) = docked["clips"]
        assert clip["receipt"] == "verified" and clip["erased"]
        assert precinct.bay("bay-1", "done")["camera_serial"] == "cam-0001"
    finally:
        unmount(point, "-l")
    assert precinct.bay("bay-1", "empty")
    assert precinct.notice(clip["clip_id"])["lock"]["state"] == "locked"


def test_a_plain_directory_is_no_camera(precinct: Precinct) -> None:
    point = precinct.world.mounts / "bay-2"
    precinct.dock_camera("bay-2", "--bytes", "1000", "--until", "docked", "--stay")
    mount(precinct.world.mounts / "bay-3")
    try:
        docked = precinct.dock_camera("bay-3", "--bytes", "1000", "--stay", "--timeout", "40")
        assert docked["clips"][0]["erased"]
    finally:
        unmount(precinct.world.mounts / "bay-3", "-l")
    assert list((point / "clips").glob("*.mp4"))
    assert not (point / "receipts").exists() or not list((point / "receipts").iterdir())


def test_a_camera_pulled_out_mid_read_is_taken_whole_next_time(precinct: Precinct) -> None:
    point = precinct.world.mounts / "bay-4"
    mount(point)
    camera = precinct.world.root / "pulled"
    options = ("--bytes", "50000000", "--until", "docked", "--stay")
    (clip,) = precinct.dock_camera("bay-4", *options)["clips"]
    subprocess.run(["cp", "-a", str(point), str(camera)], check=True)
    unmount(point, "-l")
    precinct.bay("bay-4", "empty")
    mount(point)
    try:
        subprocess.run(["cp", "-a", f"{camera}/.", str(point)], check=True)
        wait_until(lambda: (point / "receipts" / f"{clip['clip_id']}.receipt.json").exists(), "the receipt", 40)
    finally:
        unmount(point, "-l")
    assert len(precinct.custody(action="ingested", clip_id=clip["clip_id"])) == 1
    assert list((precinct.world.vault / "incoming").iterdir()) == []
