"""The stage of the attack table: a few people, docks and clips, and the sentences that say what they do.

A step is one sentence; `SENTENCES` lists every form, those of scene_retention.py too once it is imported. Names: clips
`c1`, `c2` …; incidents `I1`, `I2` …; people as in `CAST`. Times are relative: `+2h`, `-30m`. A word given "N ago" is
dated so long before it is spoken.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.model import statements as st
from daemon.policy.opening import put_in_force
from daemon.seal.trust import parse_trust
from tests.kit import agency
from tests.kit.policy_fixture import Office, make_notice, open_office

CAST: dict[str, tuple[str, ...]] = {
    "officer": ("officer",),
    "partner": ("officer",),
    "witness": ("officer",),
    "sergeant": ("officer", "supervisor"),
    "corporal": ("officer", "supervisor"),
    "supervisor": ("supervisor",),
    "lieutenant": ("supervisor",),
    "affairs": ("internal_affairs",),
    "agent": ("internal_affairs",),
    "detective": ("detective",),
    "records": ("records",),
    "clerk": ("records",),
    "chief": ("chief",),
    "deputy": ("chief",),
    "counsel": ("counsel",),
    "attorney": ("attorney",),
    "trainer": ("training",),
}
Step = Callable[..., None]
SENTENCES: list[tuple[re.Pattern[str], Step]] = []


def sentence(form: str) -> Callable[[Step], Step]:
    """A step's form: `<name>` stands for one word, `[…]` for what may be missing."""
    pattern = re.sub(r"\[(.*?)\]", r"(?:\1)?", form)
    pattern = re.sub(r"<(\w+)>", r"(?P<\1>\\S+?)", pattern)
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>.+?)", pattern)

    def register(step: Step) -> Step:
        SENTENCES.append((re.compile(pattern + r"\Z"), step))
        return step

    return register


def span(text: str) -> timedelta:
    """`+2h`, `-30m`, `5s`, `10d`."""
    number, unit = re.fullmatch(r"([+-]?\d+)([dhms])", text).groups()  # type: ignore[union-attr]
    names = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
    return timedelta(**{names[unit]: int(number)})


def clip_id(name: str) -> str:
    """`c7` as a UUID that ends in 7."""
    return f"00000000-0000-4000-8000-{int(name[1:]):012d}"


@dataclass
class Scene:
    """One office with its cast, and what has happened so far."""

    office: Office
    statements: list[tuple[st.Statement, str]] = field(default_factory=list)
    """Every word given, with its signer, in the order of the steps that gave one."""
    revoked: list[dict[str, Any]] = field(default_factory=list)
    roles: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(CAST))
    version: int = 1

    @property
    def now(self) -> datetime:
        return self.office.clock.now()

    def play(self, step: str) -> None:
        """Does what a sentence says."""
        for pattern, act in SENTENCES:
            found = pattern.match(step)
            if found:
                act(self, **found.groupdict())
                return
        raise ValueError(f"no such sentence: {step}")

    def say(self, person: str, statement: st.Statement) -> None:
        """Attests; whether it is accepted decides nothing here: a table row says what must stay closed."""
        self.statements.append((statement, person))
        self.office.attest(statement, person)
        self.office.tick()

    def enrol(self) -> None:
        """Puts the cast's enrolment in force, as it is now."""
        self.version += 1
        people = {
            person: {
                "name": person.title(),
                "roles": roles,
                "sign": agency.sign_pem(person),
                "open": agency.open_pem(person),
            }
            for person, roles in self.roles.items()
        }
        data = agency.trust_bytes(version=self.version, people=people, revoked=self.revoked)
        trust = parse_trust(data, agency.sign_key("root").public_key(), what="trust")
        context = self.office.context
        with context.store.transaction():
            put_in_force(context, trust, data)
        self.office.tick()

    def opens(self, question: str) -> bool:
        """`officer report c1`: whether this person is released this clip for this purpose now."""
        person, purpose, name = question.split()
        return bool(self.office.ask(person, clip_id(name), purpose)["outcome"] == "released")


def staged(folder: Path, regime: str, **settings: Any) -> Scene:
    """A scene with its cast enrolled, and nothing docked."""
    scene = Scene(open_office(folder, regime, **settings))
    root = agency.sign_pem("root")
    (folder / "root.pem").write_text(root)
    config = scene.office.context.config
    object.__setattr__(config.trust, "root", folder / "root.pem")
    scene.enrol()
    return scene


def fields(text: str | None) -> dict[str, str]:
    """`involved a b; witness c` as a dictionary."""
    found = {}
    for part in (text or "").split(";"):
        if part.strip():
            name, _, value = part.strip().partition(" ")
            found[name] = value
    return found


@sentence(r"\+<time>")
def _passes(scene: Scene, time: str) -> None:
    scene.office.clock.at += span(time)
    scene.office.tick()


@sentence(r"<officer>'s clip <name> in {incidents}")
def _docks(scene: Scene, officer: str, name: str, incidents: str) -> None:
    names, *options = [part.strip() for part in incidents.split(";")]
    more: dict[str, Any] = {"recorded": scene.now - timedelta(hours=3), "as_of": scene.now}
    dock = "dock-1"
    for option in options:
        match option.split():
            case ["skew", seconds]:
                more["skew"] = float(seconds)
            case ["trigger", trigger]:
                more["trigger"] = trigger
            case ["unsigned"]:
                more["integrity"] = "unsigned"
            case ["at", where]:
                dock = where
            case ["recorded", ago]:
                more["recorded"] = scene.now - span(ago)
            case ["unclear", number]:
                more["unclear"] = int(number)
            case ["footage", other]:
                more["footage"] = other
            case _:
                raise ValueError(option)
    tags = () if names == "none" else tuple(names.split(" and "))
    scene.office.announce(scene.office.notice(clip_id(name), dock, officer=officer, incidents=tags, **more))
    scene.office.tick()


@sentence(r"the dock tags <name> with <incident>")
def _tags(scene: Scene, name: str, incident: str) -> None:
    notice = scene.office.notice(clip_id(name))
    tag = make_notice(clip_id(name), "dock-1", notice.sequence, scene.now, incidents=(incident,)).tag_envelope
    scene.office.announce(notice.model_copy(update={"tag_envelope": tag}))


@sentence(r"<person>: <subject> <force>[, {details}]")
def _classifies(scene: Scene, person: str, subject: str, force: str, details: str | None = None) -> None:
    given = fields(details)
    involved = given.get("involved", "officer" if force not in {"none", "death"} else "").split()
    at = scene.now - span(given["ago"]) if "ago" in given else scene.now
    if "ahead" in given:
        at = scene.now + span(given["ahead"])
    happened = scene.now - span(given.get("happened", "3h"))
    values: dict[str, Any] = {
        "force": "none" if force == "death" else force,
        "in_custody_death": force == "death" or "death" in given,
        "involved": involved,
        "witnesses": given.get("witness", "").split(),
        "clip_ids": [clip_id(name) for name in given.get("clips", "").split()],
        "occurred_at": min(happened, at),
        "classified_at": at,
    }
    if subject.startswith("I"):
        values["incident_id"] = subject
    else:
        values["clip_ids"] = [clip_id(subject), *values["clip_ids"]]
    try:
        statement = st.Classification.model_validate(values)
    except ValueError:
        scene.statements.append((agency.statement("hold"), person))
        return
    scene.say(person, statement)


@sentence(r"<person> takes <form> of <officer> about <subject>[, {details}]")
def _takes(scene: Scene, person: str, form: str, officer: str, subject: str, details: str | None = None) -> None:
    given = fields(details)
    to = given.get("as", "internal_affairs" if "internal_affairs" in CAST[person] else "supervisor")
    values: dict[str, Any] = {
        "officer_id": officer,
        "to": to,
        "form": form,
        "given_at": scene.now - span(given["ago"]) if "ago" in given else scene.now + span(given.get("ahead", "0s")),
        "recording_sha256": None if form == "unrecorded" else agency.DIGEST,
    }
    values["incident_id" if subject.startswith("I") else "clip_id"] = subject if subject[0] == "I" else clip_id(subject)
    scene.say(person, st.OfficerStatement.model_validate(values))


@sentence(r"<person> files the report of <officer> about <incident>")
def _files(scene: Scene, person: str, officer: str, incident: str) -> None:
    scene.say(person, st.Report(incident_id=incident, officer_id=officer, filed_at=scene.now))


@sentence(r"<person> corrects <name>: worn by <officer>")
def _corrects(scene: Scene, person: str, name: str, officer: str) -> None:
    scene.say(person, st.Correction(clip_id=clip_id(name), officer_id=officer, reason="pool camera", at=scene.now))


@sentence(r"<person> admits <name>[, worn by <officer>]")
def _admits(scene: Scene, person: str, name: str, officer: str | None = None) -> None:
    scene.say(
        person,
        st.Correction(clip_id=clip_id(name), officer_id=officer, admit=True, reason="a broken camera", at=scene.now),
    )


@sentence(r"<person> withdraws word <number>")
def _withdraws(scene: Scene, person: str, number: str) -> None:
    target, by = scene.statements[int(number) - 1]
    digest = agency.signed(target, by).digest
    scene.say(person, st.Withdrawal(attestation_sha256=digest, reason="an error", at=scene.now))


@sentence(r"<person> repeats word <number>")
def _repeats(scene: Scene, person: str, number: str) -> None:
    statement, _ = scene.statements[int(number) - 1]
    scene.say(person, statement)


@sentence(r"the key of <person> is revoked from <time>")
def _revokes(scene: Scene, person: str, time: str) -> None:
    scene.revoked.append(agency.revoked(person, scene.now + span(time)))
    scene.enrol()


@sentence(r"<person> is no longer {role}")
def _loses(scene: Scene, person: str, role: str) -> None:
    scene.roles[person] = tuple(one for one in scene.roles[person] if one != role)
    scene.enrol()


@sentence(r"<person> leaves the agency")
def _leaves(scene: Scene, person: str) -> None:
    del scene.roles[person]
    scene.enrol()


@sentence(r"<person> is enrolled as {role}")
def _joins(scene: Scene, person: str, role: str) -> None:
    scene.roles[person] = tuple(role.split(" and "))
    scene.enrol()


@sentence(r"<person> declares no force on <name>")
def _declares(scene: Scene, person: str, name: str) -> None:
    scene.say(person, st.Declaration(clip_id=clip_id(name), declared_at=scene.now))


@sentence(r"<person> asks for <name> to <purpose>")
def _asks(scene: Scene, person: str, name: str, purpose: str) -> None:
    scene.office.ask(person, clip_id(name), purpose)
