"""Dispatch documents and captures as files, for the report that needs no dock. Reads; verifies no signature."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from daemon.cli.dispatch.findings import SetAside
from daemon.core.dispatch import eido, received
from daemon.core.dispatch.activation import Clip, newest_stops
from daemon.core.dispatch.eido import Snapshot
from daemon.core.dispatch.eido_fields import instant
from daemon.model import strict_json
from daemon.model.errors import ConfigurationError, MalformedError, SchemaError, VerificationError
from daemon.model.types import check_id

_CAPTURE_LIMIT = 1 << 20
_CAPTURE_TYPE = "application/vnd.bwc.capture.v1+json"
_MANY = 1000
_CHUNK = 250


_Item = Snapshot | Clip | SetAside


@dataclass
class DispatchFiles:
    """What the folders held."""

    snapshots: list[Snapshot] = field(default_factory=list)
    clips: dict[str, Clip] = field(default_factory=dict)
    set_aside: list[SetAside] = field(default_factory=list)

    @property
    def docked_until(self) -> dict[str, datetime]:
        """For each officer the end of the newest clip: what was recorded later may still be on the camera."""
        return newest_stops(self.clips.values())


def read(documents: Path, captures: Path) -> DispatchFiles:
    """Every usable document and capture. Raises ConfigurationError for a path that cannot be read at all."""
    found = DispatchFiles()
    for item in _each(_files(documents), _files(captures)):
        if isinstance(item, SetAside):
            found.set_aside.append(item)
        elif isinstance(item, Snapshot):
            found.snapshots.append(item)
        elif found.clips.setdefault(item.clip_id, item) != item:
            reason = "two captures of this clip say different things; the one found first counts"
            found.set_aside.append(SetAside(item.clip_id, reason))
    return found


def capture(document: dict[str, Any]) -> Clip:
    """The clip in a capture's payload, or in the envelope around it, whose signature nobody checks here.

    Raises VerificationError naming what is missing.
    """
    if "payloadType" in document:
        document = _payload(document)
    clip_id, officer_id = (_id(document, name) for name in ("clip_id", "officer_id"))
    times = [_time(document, name) for name in ("started_at", "triggered_at", "stopped_at")]
    if times != sorted(times):
        raise SchemaError("expected started_at <= triggered_at <= stopped_at")
    return Clip(clip_id, officer_id, *times)


def _documents(files: Sequence[str]) -> list[_Item]:
    """All that the documents say, as one snapshot, and what of them was set aside."""
    items = [(file, _interpreted(file, eido.LIMIT, received.read)) for file in files]
    snapshots = [item for _, item in items if isinstance(item, Snapshot)]
    aside = [found for file, item in items for found in _aside(file, item)]
    return [eido.together(snapshots), *aside] if snapshots else [*aside]


def _aside(file: str, item: _Item) -> list[_Item]:
    return [SetAside(file, part) for part in item.set_aside] if isinstance(item, Snapshot) else [item]


def _captures(files: Sequence[str]) -> list[_Item]:
    return [_interpreted(file, _CAPTURE_LIMIT, _read_capture) for file in files]


def _interpreted(file: str, limit: int, interpret: Callable[[bytes], _Item]) -> _Item:
    try:
        path = Path(file)
        size = path.stat().st_size
        if size > limit:
            raise MalformedError(f"file: {size} bytes, larger than the {limit} allowed")
        return interpret(path.read_bytes())
    except OSError as error:
        return SetAside(file, (error.strerror or "cannot be read").lower())
    except VerificationError as error:
        return SetAside(file, str(error))


def _read_capture(data: bytes) -> Clip:
    return capture(strict_json.parse_object(data, what="file", limit=_CAPTURE_LIMIT))


def _each(documents: Sequence[str], captures: Sequence[str]) -> Iterator[_Item]:
    """What the files say, in their order; many files are shared out among the processors."""
    workers = len(os.sched_getaffinity(0))
    if len(documents) + len(captures) < _MANY or workers == 1:
        yield from _documents(documents)
        yield from _captures(captures)
        return
    with ProcessPoolExecutor(workers, get_context("fork")) as pool:
        answers = [pool.map(_documents, _chunks(documents)), pool.map(_captures, _chunks(captures))]
        for item in chain.from_iterable(answers):
            yield from item


def _chunks(files: Sequence[str]) -> list[Sequence[str]]:
    return [files[start : start + _CHUNK] for start in range(0, len(files), _CHUNK)]


def _files(path: Path) -> list[str]:
    """The file itself, or every `*.json` below the folder, in any case, sorted; hidden files are work in progress."""
    if path.is_file():
        return [str(path)]
    try:
        return sorted(_below(str(path)))
    except OSError as error:
        raise ConfigurationError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None


def _below(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _below(entry.path)
            elif entry.name.lower().endswith(".json") and entry.is_file():
                yield entry.path


def _payload(envelope: dict[str, Any]) -> dict[str, Any]:
    if envelope["payloadType"] != _CAPTURE_TYPE:
        raise SchemaError("payloadType: not a capture")
    text = envelope.get("payload")
    try:
        # DSSE allows standard and URL-safe base64
        data = base64.b64decode(text.translate(_STANDARD) if isinstance(text, str) else "?", validate=True)
    except ValueError:
        raise MalformedError("payload: not base64") from None
    return strict_json.parse_object(data, what="payload", limit=_CAPTURE_LIMIT)


_STANDARD = str.maketrans("-_", "+/")


def _id(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    try:
        return check_id(value if isinstance(value, str) else "")
    except ValueError as error:
        raise SchemaError(f"{name}: {error}") from None


def _time(document: dict[str, Any], name: str) -> datetime:
    try:
        return instant(document.get(name))
    except ValueError as error:
        raise SchemaError(f"{name}: {error}") from None
