"""What people do to a clip, as commands: classify it, say something about it, ask for it, open it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.cli.demo import world as cast
from daemon.cli.demo.world import CastMember
from daemon.model.times import format_instant
from tests.kit.precinct import Precinct


def classify(precinct: Precinct, clip_id: str, force: str) -> None:
    """As an incident of its own, which dispatch does not know: signed all the same, and dated before the clip."""
    options = ["--incident-id", f"of-{clip_id}", "--clip-ids", clip_id, "--force", force, "--anyway"]
    options += ["--occurred-at", format_instant(datetime.now(UTC) - timedelta(hours=1))]
    if force != "none":
        options += ["--involved", cast.OFFICER.person_id]
    attest(precinct, cast.SUPERVISOR, "classification", *options)


def attest(precinct: Precinct, person: CastMember, kind: str, *options: str) -> None:
    precinct.stage.bwc("attest", kind, *precinct.world.as_person(person), *options)


def request(precinct: Precinct, person: CastMember, clip_id: str, purpose: str, expect: int = 0) -> dict[str, Any]:
    who = precinct.world.as_person(person)
    ran = precinct.stage.bwc("review", "request", *who, "--clip", clip_id, "--purpose", purpose, expect=expect)
    decision: dict[str, Any] = ran.document
    return decision


def open_clip(precinct: Precinct, person: CastMember, clip_id: str, out: Path, *more: str, expect: int = 0) -> Any:
    world = precinct.world
    trust = ("--trust", world.config / "trust.json", "--root", world.key("root", "sign", public=True))
    options: tuple[str | Path, ...] = ("--clip", clip_id, "--vault", world.vault, *trust, "--out", out, *more)
    return precinct.stage.bwc("review", "open", *world.as_person(person), *options, expect=expect)
