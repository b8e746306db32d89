"""The viewer's side: a clip opens with a live order of one's own, and with nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.model.errors import (
    ConfigurationError,
    InconsistentError,
    LockedError,
    TamperedError,
    UnavailableError,
)
from daemon.review.opening import OpenedClip, Viewer, open_clip
from daemon.seal.envelope import Envelope
from daemon.vault.sources import Directory
from tests.kit import agency
from tests.kit.agency import CLIP
from tests.kit.dock_fixture import AGENCY, House, open_house

FOOTAGE = b"footage " * 1000


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path / "dock") as made:
        made.acknowledge()
        made.record(CLIP, FOOTAGE)
        made.look(3)
        yield made


def release(house: House, **changes: Any) -> None:
    order = agency.signed(house.release(CLIP, **changes), "policy")
    house.hear(house.dock.topics.order("dock-1", CLIP), order.to_bytes())


def opened(house: House, out: Path, person: str = "officer", told: list[Envelope] | None = None) -> OpenedClip:
    viewer = Viewer(person, agency.sign_key(person), agency.open_key(person))
    source, trust = Directory(house.dock.vault.root), house.dock.trust.get()
    tell = (told if told is not None else []).append
    return open_clip(source, CLIP, viewer, AGENCY, trust, house.clock.now(), out, tell)


def test_a_released_clip_opens_to_what_the_camera_recorded(house: House, tmp_path: Path) -> None:
    told: list[Envelope] = []
    release(house)
    made = opened(house, tmp_path / "clip.mp4", told=told)
    assert made.path.read_bytes() == FOOTAGE and made.size == len(FOOTAGE)
    assert [envelope.kind for envelope in told] == ["opened"]


def test_without_an_order_it_is_locked_and_says_what_would_change_it(house: House, tmp_path: Path) -> None:
    with pytest.raises(LockedError) as caught:
        opened(house, tmp_path / "clip.mp4")
    assert caught.value.hint is not None and "bwc review request" in caught.value.hint
    assert not (tmp_path / "clip.mp4").exists()


def test_somebody_elses_order_opens_nothing(house: House, tmp_path: Path) -> None:
    release(house, person="witness")
    with pytest.raises(LockedError):
        opened(house, tmp_path / "clip.mp4")


def test_an_order_whose_time_is_over_opens_nothing(house: House, tmp_path: Path) -> None:
    release(house)
    house.clock.turn(seconds=8 * 86_400)
    with pytest.raises(LockedError, match="ended"):
        opened(house, tmp_path / "clip.mp4")


def test_an_order_that_custody_does_not_show_opens_nothing(house: House, tmp_path: Path) -> None:
    """Whoever can write into the vault could put an order there."""
    order = agency.signed(house.release(CLIP), "policy")
    path = house.dock.vault.clip(CLIP).release("order-1")
    path.parent.mkdir()
    path.write_bytes(order.to_bytes())
    with pytest.raises(TamperedError, match="custody"):
        opened(house, tmp_path / "clip.mp4")


def test_an_order_wrapped_to_another_key_says_so(house: House, tmp_path: Path) -> None:
    release(house)
    viewer = Viewer("officer", agency.sign_key("officer"), agency.open_key("witness"))
    with pytest.raises(InconsistentError, match="key"):
        open_clip(
            Directory(house.dock.vault.root),
            CLIP,
            viewer,
            AGENCY,
            house.dock.trust.get(),
            house.clock.now(),
            tmp_path / "clip.mp4",
            lambda _: None,
        )


def test_a_file_that_is_there_is_never_overwritten(house: House, tmp_path: Path) -> None:
    release(house)
    (tmp_path / "clip.mp4").write_text("mine")
    with pytest.raises(ConfigurationError):
        opened(house, tmp_path / "clip.mp4")
    assert (tmp_path / "clip.mp4").read_text() == "mine"


def test_a_changed_byte_leaves_nothing_behind(house: House, tmp_path: Path) -> None:
    release(house)
    sealed = house.dock.vault.clip(CLIP).sealed
    data = bytearray(sealed.read_bytes())
    data[-1] ^= 1
    sealed.write_bytes(data)
    with pytest.raises(TamperedError):
        opened(house, tmp_path / "clip.mp4")
    assert list(tmp_path.glob("*.mp4*")) == []


def test_what_cannot_be_told_is_not_opened(house: House, tmp_path: Path) -> None:
    def fail(_: Envelope) -> None:
        raise UnavailableError("nobody listens")

    release(house)
    viewer = Viewer("officer", agency.sign_key("officer"), agency.open_key("officer"))
    source, trust = Directory(house.dock.vault.root), house.dock.trust.get()
    with pytest.raises(UnavailableError):
        open_clip(source, CLIP, viewer, AGENCY, trust, house.clock.now(), tmp_path / "clip.mp4", fail)
    assert not (tmp_path / "clip.mp4").exists()
