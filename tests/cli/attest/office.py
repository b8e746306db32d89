"""The broker and the policy service as somebody's visit sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from daemon.link.mqtt import Received
from daemon.model import strict_json
from daemon.model.config import Broker
from daemon.model.documents import Answer
from daemon.model.statements import Classification
from daemon.model.topics import Topics
from daemon.seal import envelope as envelopes

ME = "41001"
Answers = Callable[[int], Answer | None]


class Office:
    """Answers what is published. `answers` says what the n-th attestation is answered, None: nothing comes."""

    published: list[str]
    said: list[bytes]
    answers: Answers

    def __init__(self, _broker: Broker, _subscriptions: tuple[str, ...]) -> None:
        self._waiting: list[Received] = []

    def __enter__(self) -> Office:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def publish(self, topic: str, payload: bytes, **_how: Any) -> None:
        digest = topic.rpartition("/")[2]
        self.published.append(digest)
        self.said.append(payload)
        answer = type(self).answers(len(self.published))
        if answer is not None:
            data = strict_json.dump(answer.plain())
            self._waiting.append(Received("c", Topics("portland").answer(ME, digest), data, False, 1, 1))

    def wait(self, _wanted: object, _seconds: float) -> Received | None:
        return self._waiting.pop(0) if self._waiting else None


def opened(answers: Answers = lambda _: Answer(accepted=True)) -> type[Office]:
    """An office of its own."""
    return type("Opened", (Office,), {"answers": staticmethod(answers), "published": [], "said": []})


def classifications(office: type[Office]) -> list[Classification]:
    """What was published there."""
    return [envelopes.parse(data, what="said").statement(Classification) for data in office.said]
