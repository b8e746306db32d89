"""A plan is the model of what happened: the same on every machine, and possible in this world."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest

from device_sim.shifts import plan

DAY = date(2023, 8, 21)


@pytest.fixture(scope="module")
def city() -> plan.Plan:
    return plan.make(plan.PRESETS["citywide"], 7, DAY)


def test_the_same_seed_makes_the_same_plan() -> None:
    def made(seed: int) -> str:
        return json.dumps(plan.make(plan.small(6), seed, DAY, faults=("yank",)).as_dict())

    assert made(3) == made(3)
    assert made(3) != made(4)


def test_the_seed_also_rules_what_dispatch_does_not() -> None:
    quiet = plan.small(6, incidents=0)
    one, other = (plan.make(quiet, seed, DAY) for seed in (3, 4))
    starts = [[clip.started_at for camera in made.cameras for clip in camera.clips] for made in (one, other)]
    assert len(starts[0]) == 24
    assert starts[0] != starts[1]


def test_a_citywide_day(city: plan.Plan) -> None:
    clips = [clip for camera in city.cameras for clip in camera.clips]
    assert (len(city.cameras), len(clips), len(city.incidents)) == (800, 3100, 1500)
    assert len({camera.site for camera in city.cameras}) == 5
    total = sum(clip.size or 0 for clip in clips)
    assert total == pytest.approx(3100 * 343e6, rel=0.001)
    assert len({clip.clip_id for clip in clips}) == 3100
    assert len({camera.serial for camera in city.cameras}) == len({c.officer_id for c in city.cameras}) == 800


def test_a_pilot_day() -> None:
    pilot = plan.make(plan.PRESETS["pilot"], 7, DAY)
    assert (len(pilot.cameras), sum(len(camera.clips) for camera in pilot.cameras)) == (150, 585)


def test_scale_shrinks_bytes_and_keeps_counts(city: plan.Plan) -> None:
    small = plan.make(plan.PRESETS["citywide"], 7, DAY, scale=0.001)
    pairs = [
        (whole, part)
        for one, other in zip(city.cameras, small.cameras, strict=True)
        for whole, part in zip(one.clips, other.clips, strict=True)
    ]
    assert all(whole.clip_id == part.clip_id for whole, part in pairs)
    assert all(abs((whole.size or 0) / 1000 - (part.size or 0)) <= 1 for whole, part in pairs)


def test_a_camera_records_one_clip_at_a_time(city: plan.Plan) -> None:
    for camera in city.cameras:
        for before, after in itertools.pairwise(camera.clips):
            assert before.started_at + timedelta(seconds=before.seconds) <= after.started_at
        for clip in camera.clips:
            assert 0 <= clip.pre_event <= clip.seconds <= 4 * 3600
            assert clip.started_at + timedelta(seconds=clip.seconds) < camera.docks_at


def test_clips_belong_to_calls_their_officer_was_sent_to(city: plan.Plan) -> None:
    sent = {
        (incident.incident_id, officer)
        for incident in city.incidents
        for unit in incident.units
        for officer in unit.officers
    }
    made_for = Counter(
        (clip.incident_id, camera.officer_id) for camera in city.cameras for clip in camera.clips if clip.incident_id
    )
    assert set(made_for) <= sent
    assert max(made_for.values()) == 1
    assert 0 < len(sent - set(made_for)) < len(sent) // 3  # some calls nobody recorded


def test_some_are_late(city: plan.Plan) -> None:
    dispatched = {
        (incident.incident_id, officer): unit.statuses[0][1]
        for incident in city.incidents
        for unit in incident.units
        for officer in unit.officers
    }
    delays = [
        (clip.started_at + timedelta(seconds=clip.pre_event) - dispatched[clip.incident_id, camera.officer_id])
        for camera in city.cameras
        for clip in camera.clips
        if clip.incident_id
    ]
    late = sum(delay > timedelta(seconds=60) for delay in delays)
    assert 0 < late < len(delays) / 5


def test_faults_hit_some(city: plan.Plan) -> None:
    faulty = plan.make(plan.small(20), 7, DAY, faults=("no-capture", "yank"))
    hit = Counter(fault for camera in faulty.cameras for fault in camera.faults)
    assert hit == {"no-capture": 2, "yank": 2}
    assert not any(camera.faults for camera in city.cameras)


def test_shares_are_the_whole(sim: Any) -> None:
    def serials(*more: str) -> list[str]:
        result = sim("shift", "--officers", "10", "--seed", "3", "--plan-only", "--json", *more)
        assert result.code == 0
        return [camera["serial"] for camera in result.document["cameras"]]

    parts = [serials("--share", f"{part}/3") for part in (1, 2, 3)]
    assert sorted(itertools.chain.from_iterable(parts)) == sorted(serials())
    assert all(parts)


@pytest.mark.parametrize("share", ["0/3", "4/3", "one", "1/2/3"])
def test_a_share_that_is_none(sim: Any, share: str) -> None:
    assert sim("shift", "--plan-only", "--share", share).code == 2
