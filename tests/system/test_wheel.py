"""What is installed is what works: the wheel carries regimes, schemas and example configuration."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FACTS = {
    "now": "2023-11-30T00:00:00.000Z",
    "clip": {"clip_id": "c1", "officer_id": "51234", "started_at": "2023-11-29T21:00:00.000Z"},
    "viewer": {"person_id": "51234", "roles": ["officer"]},
    "purpose": "report",
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, unpacked somewhere else."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("bwc_dock-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_regimes_and_schemas_are_inside(installed: Path) -> None:
    data = installed / "daemon" / "_data"
    assert {path.name for path in (data / "policies").iterdir()} == {
        p.name for p in (ROOT / "config/policies").iterdir()
    }
    assert (data / "schemas" / "notice.json").exists() and (data / "dock.toml").exists()


def test_compare_works_from_any_directory_without_configuration(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "facts.json").write_text(json.dumps(FACTS))
    command = [sys.executable, "-m", "daemon.cli.main", "policy", "compare", "--facts", "facts.json", "--json"]
    ran = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    answers = json.loads(ran.stdout)
    assert len(answers) == 5
    assert answers["portland-negotiated-2023"]["outcome"] == "released"
