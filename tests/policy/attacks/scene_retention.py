"""Sentences of the attack table about authorizing, keeping and disposing of footage, and about clocks."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from daemon.model import statements as st
from daemon.model.times import format_instant
from tests.kit import agency
from tests.policy.attacks.scene import Scene, clip_id, fields, sentence, span


@sentence(r"<person> authorizes <viewer> for <purpose> on <subject>[, {details}]")
def _authorizes(scene: Scene, person: str, viewer: str, purpose: str, subject: str, details: str | None = None) -> None:
    given = fields(details)
    values: dict[str, Any] = {
        "authorization_id": given.get("id", str(uuid.uuid4())),
        "person_id": None if viewer == "anybody" else viewer,
        "purposes": [purpose],
        "issued_at": scene.now - span(given.get("ago", "0s")),
        "expires_at": scene.now + span(given.get("until", "1d")),
    }
    if "order" in given:
        values["court_order"] = {
            "reference": given["order"] or "23CV-1",
            "court": "Multnomah County Circuit Court",
            "dated": format_instant(scene.now - timedelta(hours=1)),
            "sha256": agency.DIGEST,
        }
    if "reason" in given:
        values["reason"] = given["reason"]
    values["incident_id" if subject.startswith("I") else "clip_id"] = subject if subject[0] == "I" else clip_id(subject)
    scene.say(person, st.Authorization.model_validate(values))


@sentence(r"<person> holds <subject> as <hold>")
def _holds(scene: Scene, person: str, subject: str, hold: str) -> None:
    _hold(scene, person, subject, hold, "placed")


@sentence(r"<person> lifts <hold> from <subject>")
def _lifts(scene: Scene, person: str, subject: str, hold: str) -> None:
    _hold(scene, person, subject, hold, "lifted")


def _hold(scene: Scene, person: str, subject: str, hold: str, state: str) -> None:
    about = {"incident_id": subject} if subject.startswith("I") else {"clip_id": clip_id(subject)}
    values = {"hold_id": hold, "state": state, "reason": "a suit", "at": scene.now, **about}
    scene.say(person, st.Hold.model_validate(values))


@sentence(r"<person> labels <name> as <category>[, case <number>]")
def _labels(scene: Scene, person: str, name: str, category: str, number: str | None = None) -> None:
    scene.say(person, st.Label(clip_id=clip_id(name), category=category, case_number=number, at=scene.now))


@sentence(r"<person> approves the report[, {details}]")
def _approves(scene: Scene, person: str, details: str | None = None) -> None:
    given = fields(details)
    newest = scene.office.context.store.newest_report()
    values = {
        "authorization_id": given.get("id", "r1"),
        "report_sha256": given.get("digest", newest.digest if newest else "no report was made"),
        "purposes": ["disposal"],
        "issued_at": scene.now,
        "expires_at": scene.now + span(given.get("until", "60d")),
    }
    scene.say(person, st.Authorization.model_validate(values))


@sentence(r"the service's clock jumps <time>, the docks' do not")
def _jumps(scene: Scene, time: str) -> None:
    scene.office.clock.at += span(time)
    scene.office.dock_offset = -span(time)
    scene.office.tick()


@sentence(r"no dock is heard")
def _silence(scene: Scene) -> None:
    scene.office.dock_offset = None
