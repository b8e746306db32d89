"""One camera's clips: what is known of each, how long a failed one is left alone, and what the journal says of it."""

from __future__ import annotations

import logging
import time

import pytest

from daemon.core.settle import FileStat, Sighting
from daemon.dock.camera.reader import SealBatch
from daemon.dock.ingest.bay_progress import BayProgress
from daemon.dock.ingest.docking import RETRY_SECONDS, ROOM_SECONDS, DockedClip, Docking, IngestBatch
from daemon.dock.ingest.jobs import CameraSeen, FoundOnCamera, Job, ReadCapture
from daemon.model.errors import CameraReadError
from daemon.vault.space import disk_full
from tests.kit.agency import CLIP, OTHER_CLIP

FIRST, LAST = FileStat(7, 1, 1), FileStat(9, 2, 2)
CAPTURE = ReadCapture("verified", None, None, None, None)


@pytest.fixture
def docking() -> Docking:
    progress = BayProgress("bay-1", lambda _: None)
    progress.saw(CLIP, 9)
    return Docking("bay-1", CameraSeen("cam-1", "officer", 0.0), progress)


def clip(stem: str = CLIP, read: ReadCapture | None = CAPTURE) -> DockedClip:
    return DockedClip(stem, Sighting(FIRST, None, 0.0), Sighting(LAST, None, 1.0), read)


def job(clip_id: str) -> Job:
    return Job(clip_id, None, "bay-1", "cam-1", "officer", clip_id, LAST, 0.0, "absent", None, None, None)


def test_a_clip_is_asked_for_as_it_was_last_seen() -> None:
    assert clip().found() == FoundOnCamera(CLIP, LAST, CAPTURE)


def test_nothing_is_asked_about_a_clip_whose_capture_was_not_read() -> None:
    with pytest.raises(AssertionError):
        clip(read=None).found()


def test_a_clip_that_the_dock_holds_counts_and_its_trouble_is_over(docking: Docking) -> None:
    one = clip()
    docking.fail(one, CameraReadError("busy"))
    docking.held(one, OTHER_CLIP, read_here=True)
    assert (one.clip_id, one.problem, one.read_here) == (OTHER_CLIP, None, True)
    with pytest.raises(AssertionError):
        _ = one.capture
    docking.progress.set("done")
    shown = docking.progress.shown
    assert shown is not None and (shown.clips_done, shown.bytes_done) == (1, 9)


def test_one_that_is_only_known_again_was_not_read_here(docking: Docking) -> None:
    one = clip()
    docking.held(one, CLIP)
    assert not one.read_here


@pytest.mark.parametrize(
    ("error", "pause"), [(CameraReadError("busy"), RETRY_SECONDS), (disk_full(), ROOM_SECONDS)], ids=["camera", "disk"]
)
def test_a_failed_clip_is_left_alone_for_a_while(docking: Docking, error: Exception, pause: float) -> None:
    one, before = clip(), time.monotonic()
    docking.fail(one, error)
    assert before + pause <= one.retry_at <= time.monotonic() + pause
    assert one.problem is not None and str(error) in one.problem


def test_a_problem_is_logged_when_it_is_another(docking: Docking, caplog: pytest.LogCaptureFixture) -> None:
    one = clip()
    with caplog.at_level(logging.WARNING):
        for words in ("busy", "busy", "torn", "busy"):
            docking.fail(one, CameraReadError(words))
        docking.held(one, CLIP)
        docking.fail(one, CameraReadError("busy"))
    said = [record.getMessage().rsplit(" ", 1)[1] for record in caplog.records]
    assert said == ["busy", "torn", "busy"]
    fields = [(vars(record)["clip_id"], vars(record)["bay"]) for record in caplog.records]
    assert fields == [(CLIP, "bay-1")] * 3


def test_a_strangers_file_name_is_no_field_and_cannot_forge_a_line(
    docking: Docking, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        docking.fail(clip("a\nbay bay-2: all is well"), CameraReadError("busy"))
    [record] = caplog.records
    assert "\n" not in record.getMessage()
    assert docking.fields("a\nb") == {"clip_id": None, "bay": "bay-1", "camera": "cam-1"}
    assert docking.fields(CLIP) == {"clip_id": CLIP, "bay": "bay-1", "camera": "cam-1"}


def test_a_batch_has_the_jobs_of_those_that_are_still_taken_in() -> None:
    batch = IngestBatch(1, SealBatch(1, 2, lambda _: None), {one: (clip(one), job(one)) for one in (CLIP, OTHER_CLIP)})
    assert batch.jobs == [job(CLIP), job(OTHER_CLIP)]
    del batch.clips[CLIP]
    assert batch.jobs == [job(OTHER_CLIP)]
