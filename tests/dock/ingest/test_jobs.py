"""What a restart needs to finish a clip: kept as text, read back the same, refused where it is something else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.core.settle import FileStat
from daemon.dock.ingest.jobs import Job
from daemon.model.errors import BwcError
from daemon.vault.layout import VaultLayout
from tests.kit.agency import CLIP, DIGEST, statement

JOB = Job(
    CLIP, "AXON 7", "bay-1", "cam-1", "officer", "AXON 7", FileStat(9, 1 << 65, -5), -0.25, "refused", DIGEST, None, "w"
)


@pytest.mark.parametrize(
    "job",
    [
        JOB,
        replace(JOB, claimed=None, capture_sha256=None, problem=None, capture_state="absent"),
        replace(JOB, stem="bytes:e4\n\x00 ü", skew=1e9, footage=FileStat(0, 0, 0)),
    ],
)
def test_it_is_read_back_as_it_was(job: Job) -> None:
    assert Job.from_text(job.to_text()) == job


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        JOB.to_text()[:-5],
        json.dumps({**json.loads(JOB.to_text()), "more": 1}),
        json.dumps({**json.loads(JOB.to_text()), "footage": [1, 2]}),
        json.dumps({**json.loads(JOB.to_text()), "footage": None}),
    ],
)
def test_what_is_none_is_an_error_of_ours(text: str) -> None:
    with pytest.raises(BwcError):
        Job.from_text(text)


def test_a_doubtful_capture_says_nothing_of_when_it_was_recorded() -> None:
    capture = statement("capture")
    assert JOB.recording(capture, "mismatch") is None
    assert JOB.recording(None, "unsigned") is None
    for value in ("verified", "unplayable"):
        recording = JOB.recording(capture, value)
        assert recording is not None
        assert (recording.clip_id, recording.officer_id, recording.skew) == (CLIP, "officer", -0.25)


def test_the_reader_is_asked_to_seal_into_staging_for_this_clip_alone() -> None:
    request = JOB.request(VaultLayout(Path("/vault")), "dock-1", ("pem",))
    assert (request.stem, request.footage) == ("AXON 7", JOB.footage)
    target = request.target
    assert (target.path, target.clip_id, target.dock_id) == (f"/vault/incoming/{CLIP}/clip.sealed", CLIP, "dock-1")
    assert (target.capture_sha256, target.recipients) == (DIGEST, ("pem",))
