"""When a clip may be read, and what becomes of it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as hs

from daemon.core.intake import Identity, identify, integrity, quarantined
from daemon.core.settle import FileStat, Sighting, readiness
from daemon.model.types import is_clip_id
from tests.kit.agency import CLIP, OTHER_CLIP

FOOTAGE, CAPTURE = FileStat(1000, 1, 1), FileStat(500, 2, 2)
SEEN = Sighting(FOOTAGE, CAPTURE, 10.0)
ORPHAN_SECONDS, SETTLE_SECONDS = 600.0, 0.25


def ready(first: Sighting, now: Sighting, capture_size: int | None) -> str:
    return readiness(first, now, capture_size, ORPHAN_SECONDS, SETTLE_SECONDS)


def later(seconds: float, seen: Sighting = SEEN) -> Sighting:
    return replace(seen, at=seen.at + seconds)


@pytest.mark.parametrize(
    ("now", "size", "expected"),
    [
        (later(0.5), 1000, "settled"),
        (later(0.25), 1000, "settled"),
        (later(0.125), 1000, "waiting"),
        (later(0.2), 999, "waiting"),
        (later(0.2), None, "waiting"),
        (later(599), None, "waiting"),
        (later(600), None, "orphan"),
        (later(600), 999, "orphan"),
        (later(601), 1000, "settled"),
        (replace(later(700), capture=None), 1000, "waiting"),
    ],
)
def test_readiness(now: Sighting, size: int | None, expected: str) -> None:
    assert ready(SEEN, now, size) == expected


@pytest.mark.parametrize("field", ["size", "mtime_ns", "ctime_ns"])
@pytest.mark.parametrize("which", ["footage", "capture"])
def test_whatever_changes_it_waits(which: str, field: str) -> None:
    stat = getattr(SEEN, which)
    changed = replace(later(9999), **{which: replace(stat, **{field: getattr(stat, field) + 1})})
    for size in (1000, 1001, None):
        assert ready(SEEN, changed, size) == "waiting"


def test_one_look_is_never_enough() -> None:
    assert ready(SEEN, SEEN, 1000) == "waiting"


@given(hs.text(max_size=300) | hs.just(CLIP), hs.booleans(), hs.booleans())
def test_every_clip_gets_an_id_that_names_one_directory(claimed: str, verified: bool, taken: bool) -> None:
    identity = identify(claimed, lambda: OTHER_CLIP, verified=verified, taken=taken)
    assert is_clip_id(identity.clip_id)
    if is_clip_id(claimed) and verified and not taken:
        assert identity == Identity(claimed, None)
    else:
        assert identity.clip_id == OTHER_CLIP
        assert identity.claimed is not None
        assert identity.claimed.isascii()
        assert identity.claimed.isprintable()
        assert len(identity.claimed) <= 200


def test_a_taken_id_is_kept_as_a_claim() -> None:
    assert identify(CLIP, lambda: OTHER_CLIP, verified=True, taken=True) == Identity(OTHER_CLIP, CLIP)
    assert identify("a\nb\udcff", lambda: OTHER_CLIP, verified=True, taken=False).claimed == "a\\nb\\udcff"


def test_a_file_name_alone_gives_no_id() -> None:
    """An unsigned file named like a colleague's clip would shadow it."""
    assert identify(CLIP, lambda: OTHER_CLIP, verified=False, taken=False) == Identity(OTHER_CLIP, CLIP)


def test_integrity_table() -> None:
    for state, agrees, playable in itertools.product(
        ("verified", "absent", "unusable", "refused"), (True, False), (True, False)
    ):
        value = integrity(state, digest_agrees=agrees, playable=playable)  # type: ignore[arg-type]
        if state in {"absent", "unusable"}:
            assert value == "unsigned"
        elif state == "refused" or not agrees:
            assert value == "mismatch"
        else:
            assert value == ("verified" if playable else "unplayable")
        assert quarantined(value) == (value in {"unsigned", "mismatch"})
