"""What is heard of clips: notices taken apart, and what cannot be read said, without a traceback."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daemon.link.mqtt import Received
from daemon.model.documents import Notice
from daemon.model.errors import UnavailableError
from daemon.model.topics import Topics
from daemon.review import known as room
from daemon.review.known import Known, hear_dispatched, hear_known, known_clip
from tests.kit.agency import CLIP, DIGEST, OTHER_CLIP

TOPICS = Topics("portland")
CAPTURE = {
    "officer_id": "51234",
    "started_at": "2026-11-28T08:46:30.000Z",
    "triggered_at": "2026-11-28T08:47:00.000Z",
    "stopped_at": "2026-11-28T08:57:00.000Z",
    "trigger_on": "button",
}


def notice(clip_id: str = CLIP, **changes: Any) -> dict[str, Any]:
    return {
        "schema": "bwc.notice/1",
        "clip_id": clip_id,
        "dock_id": "central-1",
        "sequence": 1,
        "previous": 0,
        "published_at": "2026-11-28T10:00:00.000Z",
        "lock": {"state": "locked", "reason": "no release order"},
        "integrity": "verified",
        "capture": CAPTURE,
        "clip_sha256": DIGEST,
        "sealed_sha256": DIGEST,
        "sealed_bytes": 1,
        "clock_skew_seconds": 2.0,
        "ingested_at": "2026-11-28T09:59:00.000Z",
        "activation": {"assignments": [{"incident_id": "A"}, {"incident_id": "B"}, {"incident_id": "A"}]},
    } | changes


class Retaining:
    """A broker's visit that says what it retains, and then nothing."""

    said: tuple[tuple[str, bytes], ...] = ()

    def __init__(self, _broker: object, subscriptions: tuple[str, ...]) -> None:
        kinds = tuple(topic.split("/")[3] if "/clip/" not in topic else "clip" for topic in subscriptions)
        self._left = [one for one in self.said if any(f"/{kind}/" in one[0] for kind in kinds)]

    def __enter__(self) -> Retaining:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def wait(self, _wanted: object, _seconds: float) -> Received | None:
        return Received("c", *self._left.pop(0), True, 1, 1) if self._left else None


def heard(monkeypatch: pytest.MonkeyPatch, *said: tuple[str, Any]) -> Known:
    data = tuple((topic, body if isinstance(body, bytes) else json.dumps(body).encode()) for topic, body in said)
    monkeypatch.setattr(room, "Session", type("Said", (Retaining,), {"said": data}))
    return hear_known(None, TOPICS)  # type: ignore[arg-type]


def at(clip_id: str = CLIP) -> str:
    return TOPICS.clip("central-1", clip_id)


def test_a_clip_is_known_with_its_incidents_and_times_by_the_docks_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    known = heard(monkeypatch, (at(), notice()))
    [clip] = known.clips.values()
    assert (clip.officer_id, clip.incidents, clip.trigger) == ("51234", ("A", "B"), "button")
    assert (clip.started_at - clip.began).total_seconds() == (clip.triggered_at - clip.triggered).total_seconds() == 2
    assert known.by_incident.keys() == {"A", "B"} and known.of_incident("D") == []
    assert known.problems == [] and known.whole


def test_a_clip_without_a_capture_counts_from_its_intake() -> None:
    clip = known_clip(Notice.model_validate(notice(capture=None, activation=None)))
    assert not clip.recorded and clip.officer_id == "unknown" and clip.incidents == ()
    assert clip.began == clip.started_at == Notice.model_validate(notice()).ingested_at


def test_what_is_disposed_of_is_not_known_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = notice(lock={"state": "disposed", "reason": "disposed of"})
    known = heard(monkeypatch, (at(), gone), (at(OTHER_CLIP), b""))
    assert known.clips == {} and known.problems == []


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        notice(capture={"started_at": 7}),
        notice(capture={"started_at": "yesterday"}),
        notice(activation={"assignments": [7]}),
        notice(activation={"assignments": [{}]}),
        notice(activation={"assignments": 7}),
        notice(activation={"assignments": [{"incident_id": "\x1b[2J"}]}),
        notice(capture=CAPTURE | {"officer_id": "\x1b[2J"}),
        notice(capture=CAPTURE | {"officer_id": 7}),
        {"schema": "bwc.notice/2"},
    ],
)
def test_what_cannot_be_read_is_said_and_the_next_is_known(monkeypatch: pytest.MonkeyPatch, body: Any) -> None:
    known = heard(monkeypatch, (at(), body), (at(OTHER_CLIP), notice(OTHER_CLIP)))
    assert set(known.clips) == {OTHER_CLIP} and len(known.problems) == 1


def test_what_takes_too_long_is_a_part_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "Session", type("Said", (Retaining,), {"said": ((at(), b"{"),) * 1000}))
    known = hear_known(None, TOPICS, seconds=0.0)  # type: ignore[arg-type]
    assert not known.whole and len(known.problems) == 1


def test_dispatch_documents_name_their_incident_in_the_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    said = ((TOPICS.cad("23-7"), b"{}"), (TOPICS.cad("23-8"), b"{"), (TOPICS.cad("\x1b[2J"), b"{"))
    monkeypatch.setattr(room, "Session", type("Said", (Retaining,), {"said": said}))
    assert hear_dispatched(None, TOPICS) == {"23-7", "23-8"}  # type: ignore[arg-type]


class Refusing(Retaining):
    """A broker that refuses what it does not let somebody hear, and all that is asked in one breath with it."""

    refused: str

    def __init__(self, broker: object, subscriptions: tuple[str, ...]) -> None:
        if any(f"/{self.refused}/" in topic for topic in subscriptions):
            raise UnavailableError("the broker refused the subscription: not authorized")
        super().__init__(broker, subscriptions)


@pytest.mark.parametrize("refused", ["clip", "cad", "v1"])
def test_what_a_broker_refuses_is_said_and_the_rest_heard(monkeypatch: pytest.MonkeyPatch, refused: str) -> None:
    said = tuple((topic, json.dumps(body).encode()) for topic, body in ((at(), notice()), (TOPICS.cad("23-7"), {})))
    monkeypatch.setattr(room, "Session", type("Said", (Refusing,), {"said": said, "refused": refused}))
    known = hear_known(None, TOPICS)  # type: ignore[arg-type]
    assert set(known.clips) == (set() if refused in ("clip", "v1") else {CLIP})
    assert len(known.problems) == {"clip": 1, "cad": 0, "v1": 1}[refused]
    assert hear_dispatched(None, TOPICS) == (set() if refused in ("cad", "v1") else {"23-7"})  # type: ignore[arg-type]


class Chatting(Retaining):
    """Docks that say something all the time."""

    def wait(self, _wanted: object, seconds: float) -> Received | None:
        if self._left:
            return super().wait(_wanted, seconds)
        return Received("c", at(OTHER_CLIP), b"{", False, 1, 1) if seconds > 0.05 else None


def test_what_docks_go_on_saying_does_not_keep_anybody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    said = ((at(), json.dumps(notice()).encode()),)
    monkeypatch.setattr(room, "Session", type("Said", (Chatting,), {"said": said}))
    known = hear_known(None, TOPICS, quiet=0.2, seconds=5.0)  # type: ignore[arg-type]
    assert known.whole and set(known.clips) == {CLIP}
