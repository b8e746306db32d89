"""A case of cases.toml, told to the files report and to a dock, and what each then says."""

from __future__ import annotations

import json
import shlex
import tomllib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from daemon.cli.dispatch.command import _of_dock, dispatch
from daemon.cli.dispatch.output import as_document
from daemon.core.dispatch.eido_fields import instant
from daemon.model import statements as st
from daemon.seal import envelope as envelopes
from tests.core.dispatch.calls import at, clip, document
from tests.kit.dock_fixture import House, open_house

_BEGIN, _END = instant("2023-11-20T00:00:00Z"), instant("2023-12-10T00:00:00Z")


@dataclass(frozen=True)
class Case:
    """One row of the table; cases.toml explains the keys."""

    name: str
    documents: Sequence[str | dict[str, Any]]
    change: Sequence[dict[str, Any]] = ()
    wrap: Sequence[int] = ()
    bytes_before: str = ""
    recorded: Sequence[str] = ()
    expect: Sequence[str] = ()
    clips: Sequence[str] = ()
    merged: Sequence[str] = ()
    aside: Sequence[str] = ()
    unknown: Sequence[str] = ()
    perhaps: Sequence[str] = ()
    unclear: Mapping[str, int] = field(default_factory=dict)
    raw: Sequence[str] = field(default_factory=tuple)

    def sent(self) -> list[bytes]:
        """The documents as they are sent."""
        made = [deepcopy(one) if isinstance(one, dict) else document(one) for one in self.documents]
        for change in self.change:
            _put(made[change["document"]], change["at"], change.get("to", ...))
        if self.wrap:
            wrapped = {"event": {"subscriptionId": "sub1", "notification": [made[number] for number in self.wrap]}}
            made = [one for number, one in enumerate(made) if number not in self.wrap] + [wrapped]
        before = self.bytes_before.encode()
        return [before + json.dumps(one).encode() for one in made] + [text.encode() for text in self.raw]


@dataclass(frozen=True)
class Answer:
    """What was made of a case, in the words of the table."""

    assignments: list[str]
    clips: list[str]
    merged: list[str]
    aside: list[str]
    unknown: list[str]
    perhaps: list[str]


def read_cases() -> list[Case]:
    """Every row."""
    rows = tomllib.loads((Path(__file__).parent / "cases.toml").read_text())["case"]
    return [Case(**row) for row in rows]


def of_files(case: Case, folder: Path) -> Answer:
    """As `bwc dispatch report` says it of files."""
    for name in ("cad", "captures"):
        (folder / name).mkdir(parents=True)
    for number, data in enumerate(case.sent()):
        (folder / "cad" / f"{number}.json").write_bytes(data)
    for line in case.recorded:
        made = clip(line)
        times = {name: getattr(made, name).isoformat() for name in ("started_at", "triggered_at", "stopped_at")}
        body = {"clip_id": _clip_id(made.clip_id), "officer_id": made.officer_id, **times}
        (folder / "captures" / f"{made.clip_id}.json").write_text(json.dumps(body))
    arguments = ["report", "--eido", str(folder / "cad"), "--captures", str(folder / "captures"), "--json"]
    result = CliRunner().invoke(dispatch, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return _answer(case, json.loads(result.output))


def of_dock(case: Case, folder: Path, order: Sequence[int]) -> tuple[Answer, dict[str, st.Tag]]:
    """As a dock has it, to which documents and clips came in this order; and each clip's newest tag."""
    told: list[Any] = [*case.sent(), *map(clip, case.recorded)]
    with open_house(folder) as house:
        for number in order:
            _tell(house, told[number], number)
        found = as_document(_of_dock(house.dock.config, None, _BEGIN, _END))
        tags = {line.partition(":")[0]: newest_tag(house, _clip_id(line.partition(":")[0])) for line in case.recorded}
    return _answer(case, found), tags


def newest_tag(house: House, clip_id: str) -> st.Tag:
    """What the dock has signed last of a clip's calls."""
    held, row = house.dock.vault.find(clip_id), house.dock.store.clip(clip_id)
    assert held is not None and row is not None
    envelope = envelopes.parse(held.tag(row.tag_revision).read_bytes(), what="tag")
    return envelope.statement(st.Tag)


def _tell(house: House, one: Any, number: int) -> None:
    if isinstance(one, bytes):
        house.service.receive_file(one, f"file {number}.json")
        return
    times = {name: getattr(one, name) for name in ("started_at", "triggered_at", "stopped_at")}
    buffer = (one.triggered_at - one.started_at).total_seconds()
    house.record(
        _clip_id(one.clip_id), one.clip_id.encode(), officer_id=one.officer_id, pre_event_seconds=buffer, **times
    )
    assert house.look() in {"done", "waiting"}


def _clip_id(short: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, short))


def _answer(case: Case, found: dict[str, Any]) -> Answer:
    short = {_clip_id(line.partition(":")[0]): line.partition(":")[0] for line in case.recorded}
    return Answer(
        sorted(_assignment(item, short) for item in found["assignments"]),
        sorted(f"{short[clip_id]} {item['verdict']}" for clip_id, item in found["clips"].items()),
        sorted(f"{_word(one['old'])} into {_word(one['new'])} by {one['by']}" for one in found["merges"]),
        sorted(item["reason"].partition(":")[0] for item in found["set_aside"]),
        sorted(_unknown(item) for item in found["unknown_crew"]),
        sorted(f"{short[clip_id]} {_word(call)}" for clip_id, one in found["clips"].items() for call in one["perhaps"]),
    )


def _assignment(item: dict[str, Any], short: dict[str, str]) -> str:
    span = f"{_time(item['dispatched_at'])}..{_time(item['cleared_at'])}"
    words = [*map(_word, (item["incident_id"], item["unit_id"], item["officer_id"])), span, item["verdict"]]
    by_unit = ["by-unit"] if item["matched_by"] == "unit" else []
    return " ".join([*words, *by_unit, *sorted(short[clip_id] for clip_id in item["clips"])])


def _unknown(item: dict[str, Any]) -> str:
    span = f"{_time(item['dispatched_at'])}..{_time(item['cleared_at'])}"
    return f"{_word(item['incident_id'])} {_word(item['unit_id'])} {span}"


def _word(text: str) -> str:
    return shlex.quote(text) if " " in text else text


def _time(text: str | None) -> str:
    if text is None:
        return ""
    since = datetime.fromisoformat(text) - at("00:00")
    hours, seconds = divmod(since.total_seconds(), 3600)
    rest = f":{seconds % 60:06.3f}".rstrip("0").rstrip(".") if seconds % 60 else ""
    return f"{int(hours):02}:{int(seconds // 60):02}{rest}"


def _put(document: Any, way: str, value: Any) -> None:
    *steps, last = (int(step) if step.isdigit() else step for step in way.split("/"))
    for step in steps:
        document = document[step]
    if value is ...:
        del document[last]
    else:
        document[last] = value


def names(cases: Iterable[Case]) -> list[str]:
    """For pytest's ids."""
    return [case.name for case in cases]
