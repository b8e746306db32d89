"""Whatever the dock's log says of a clip, a bay or a camera is found by that clip, bay or camera."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.link.mqtt import Published
from daemon.link.pump import Pump

DOCK = Path(__file__).parents[2] / "daemon" / "dock"
CALLS = {f"log.{level}" for level in ("debug", "info", "warning", "error", "exception")}
SPOKEN_OF = re.compile(r"\b(clip|bay|camera) %s")


def said() -> Iterator[tuple[str, ast.Call]]:
    """Every call of a logger's in the dock's room that has words in it."""
    for path in sorted(DOCK.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in CALLS:
                yield f"{path.name}:{node.lineno}", node


def test_every_line_about_one_has_its_field() -> None:
    bare = []
    for where, call in said():
        fields = {keyword.arg for keyword in call.keywords}
        in_words = isinstance(call.args[0], ast.Name) or SPOKEN_OF.search(ast.unparse(call.args[0]))
        if in_words and "extra" not in fields:
            bare.append(where)
    assert bare == []


class Deaf:
    """A broker's end that takes everything and is told what to answer."""

    def publish(self, *_: object, **__: object) -> int:
        return 1


@pytest.mark.parametrize(("topic", "field"), [("clip/c-1", "clip_id"), ("bay/b-1", "bay")])
def test_what_the_broker_does_not_take_is_found_as_well(
    topic: str, field: str, caplog: pytest.LogCaptureFixture
) -> None:
    pump = Pump(Deaf())  # type: ignore[arg-type]
    pump.reset(connected=True, max_packet=250)
    topic = f"bwc/v1/portland/dock/central-1/{topic}"
    pump.send("key", topic, b"x", retain=True)
    pump.published(Published("", 1, "not authorized"), lambda _: None)
    pump.send("key", topic, b"x" * 300, retain=True)
    refused, oversize = caplog.records
    assert "not authorized" in refused.getMessage() and "300 bytes" in oversize.getMessage()
    assert getattr(refused, field) == getattr(oversize, field) == topic.rsplit("/", 1)[1]
