"""No force, said on record by the wearer: opens their own clip to them while nothing is unclear, whole processes."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from daemon.cli.demo import world as cast
from daemon.cli.demo.stage import SIM
from daemon.cli.demo.world import AGENCY, World
from daemon.model.times import format_instant
from tests.kit.acts import attest, request
from tests.kit.precinct import Precinct, running

pytestmark = pytest.mark.xdist_group("declaration")
BEGAN = datetime.now(UTC) - timedelta(hours=4)


def _by_wearer(world: World) -> None:
    policy = world.config / "policy.toml"
    policy.write_text(policy.read_text() + '\n[classification]\nno_force_by = "wearer"\n')


@pytest.fixture(scope="module")
def precinct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Precinct]:
    with running(tmp_path_factory.mktemp("declaration") / "world", before=_by_wearer) as made:
        yield made


def dispatched(precinct: Precinct, incident_id: str, minutes: int, *officers: str, unit_id: str) -> None:
    """Dispatch sends a call of ten minutes, so long after this file's beginning."""
    begin = BEGAN + timedelta(minutes=minutes)
    times = {"Dispatched": 0, "OnScene": 60, "Cleared": 600}
    history = [[status, format_instant(begin + timedelta(seconds=at))] for status, at in times.items()]
    unit = {"unit_id": unit_id, "officers": list(officers), "statuses": history}
    path = precinct.world.root / f"{incident_id}.json"
    path.write_text(
        json.dumps([{"incident_id": incident_id, "incident_type": "burglary", "priority": 2, "units": [unit]}])
    )
    command = [*SIM, "dispatch", "--from", str(path), "--to", precinct.world.broker, "--agency", AGENCY]
    subprocess.run(command, check=True, capture_output=True)


def test_a_wearers_declaration_opens_their_own_clip_until_something_is_unclear(precinct: Precinct) -> None:
    officer = cast.OFFICER.person_id
    dispatched(precinct, "D-1", 0, officer, unit_id="711")
    start = format_instant(BEGAN + timedelta(minutes=1))
    spec = f"started_at={start},seconds=1200,pre_event=0,trigger_on=dispatch,bytes=3000"
    [taken] = precinct.dock_camera("bay-1", "--clip", spec, "--timeout", "60")["clips"]
    clip_id = taken["clip_id"]

    attest(precinct, cast.OFFICER, "declaration", "--clip-id", clip_id)
    assert request(precinct, cast.OFFICER, clip_id, "report", expect=3)["outcome"] == "refused"
    assert unclear(precinct, clip_id) is None, "dispatch has not spoken past the clip's end"

    dispatched(precinct, "D-2", 60, cast.ROUTINE_OFFICER.person_id, unit_id="712")  # it has now
    precinct.notice(clip_id, lambda _: unclear(precinct, clip_id) == 0)
    released = request(precinct, cast.OFFICER, clip_id, "report")
    assert released["outcome"] == "released" and unclear(precinct, clip_id) == 0
    assert request(precinct, cast.SUPERVISOR, clip_id, "supervision", expect=3)["outcome"] == "refused"
    assert request(precinct, cast.OFFICER, clip_id, "training", expect=3)["outcome"] == "refused"

    dispatched(precinct, "D-3", 2, unit_id="799")  # nobody knows who was on this one
    precinct.notice(clip_id, lambda n: n["lock"]["state"] == "locked")
    assert unclear(precinct, clip_id) == 1


def unclear(precinct: Precinct, clip_id: str) -> int | None:
    """What the newest tag in the vault says."""
    tags = sorted((precinct.world.vault / "clips" / clip_id / "tags").glob("*.json"), key=lambda path: int(path.stem))
    said = json.loads(base64.b64decode(json.loads(tags[-1].read_bytes())["payload"]))
    found: int | None = said.get("unclear")
    return found
