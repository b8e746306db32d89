"""A policy service without its MQTT: on a real database, with a clock that tests turn, and docks that announce."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.custody.log import CustodyLog
from daemon.model import statements as st
from daemon.model import strict_json
from daemon.model.clock import Clock
from daemon.model.config import PolicyConfig, check_config
from daemon.model.documents import Lock, Notice
from daemon.model.times import format_instant
from daemon.model.topics import Topics
from daemon.policy.cases import attestations, decisions, notices, reconsideration
from daemon.policy.cases.disposal import clocks
from daemon.policy.cases.disposal.schedule import run_schedule
from daemon.policy.context import PolicyContext
from daemon.policy.rules.regime import Regime, bundled
from daemon.policy.store.store import open_store
from daemon.seal.envelope import Envelope
from daemon.seal.keys import keyid
from daemon.seal.trust import Trust
from daemon.seal.wrap import data_key_info, wrap
from tests.kit import agency

INCIDENT = "23-310001"


@dataclass
class TurnedClock:
    """A clock that stands still until it is turned."""

    at: datetime = agency.NOW

    def now(self) -> datetime:
        return self.at

    def boot(self) -> float:
        return self.at.timestamp()

    def monotonic(self) -> float:
        return self.at.timestamp()

    def boot_id(self) -> str:
        return "boot"

    def turn(self, **by: float) -> None:
        self.at += timedelta(**by)


@dataclass
class Office:
    """A policy service's context, and what people and docks do to it."""

    context: PolicyContext
    clock: TurnedClock
    sequences: dict[str, int] = field(default_factory=dict)
    notices: dict[tuple[str, str], Notice] = field(default_factory=dict)
    dock_offset: timedelta | None = timedelta()
    """How far the docks' clocks are ahead of the service's; None while no dock is heard."""
    notes: list[str | None] = field(default_factory=list)
    """What each answer said beside accepting or refusing."""

    def restart(self, trust: Trust) -> None:
        """The service ends and starts again under `trust`: it has what is in the store, and nothing in memory."""
        before = self.context
        before.store.close()
        self.context = open_context(before.config, self.clock, before.regime, trust)

    def attest(self, statement: st.Statement, by: str) -> tuple[bool, str | None]:
        """Publishes an attestation; returns the answer."""
        return self.receive(agency.signed(statement, by), by)

    def receive(self, envelope: Envelope, person: str) -> tuple[bool, str | None]:
        with self.context.store.transaction():
            changed = attestations.receive(self.context, envelope.to_bytes(), person, envelope.kind, envelope.digest)
            for clip_id in sorted(changed):
                reconsideration.reconsider(self.context, clip_id)
        answer = json.loads(self.posted(self.context.topics.answer(person, envelope.digest))[-1])
        self.notes.append(answer.get("note"))
        return answer["accepted"], answer.get("reason")

    def tick(self) -> None:
        with self.context.store.transaction():
            if self.dock_offset is not None:  # docks go on announcing other clips
                for dock in self.sequences:
                    clocks.heard(self.context, dock, self.clock.now() + self.dock_offset)
            decisions.expire(self.context)
            reconsideration.reconsider_overdue(self.context)
            reconsideration.reconsider_pending(self.context)
            run_schedule(self.context)

    def announce(self, notice: Notice, *, whole: bool = True) -> None:
        """A dock's announcement, or (not `whole`) what the broker retains of it."""
        without = None if whole else {"seal_envelope": None, "capture_envelope": None}
        data = strict_json.dump(notice.model_copy(update=without).plain())
        with self.context.store.transaction():
            changed = notices.receive(self.context, data, notice.dock_id, notice.clip_id, whole=whole)
            notices.acknowledge(self.context)
            if changed is not None:
                reconsideration.reconsider(self.context, changed)

    def ask(self, person: str, clip_id: str, purpose: str = "report") -> dict[str, Any]:
        """A request; returns the decision."""
        request = st.Request(
            request_id=str(uuid.uuid4()),
            clip_id=clip_id,
            purpose=purpose,  # type: ignore[arg-type]
            requested_at=self.clock.now(),
        )
        accepted, reason = self.attest(request, person)
        assert accepted, reason
        return self.decision(person, request.request_id)

    def decision(self, person: str, request_id: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.posted(self.context.topics.decision(person, request_id))[-1])
        return document

    def posted(self, topic: str) -> list[bytes]:
        """What waits to be published on a topic."""
        rows = self.context.store.db.execute("SELECT payload FROM outbox WHERE topic = ? ORDER BY id", (topic,))
        return [bytes(row[0]) for row in rows]

    def orders(self, clip_id: str, dock: str = "dock-1") -> list[Envelope]:
        from daemon.seal import envelope as envelopes

        return [envelopes.parse(data, what="order") for data in self.posted(self.context.topics.order(dock, clip_id))]

    def log(self, action: str) -> list[dict[str, Any]]:
        """Entries of the policy service's own custody log."""
        entries = [json.loads(line) for line in self.context.custody.lines()]
        return [entry for entry in entries if entry["action"] == action]

    def notice(self, clip_id: str = agency.CLIP, dock: str = "dock-1", **options: Any) -> Notice:
        """A notice as a dock would publish it next; of a clip it announced before, with the same envelopes."""
        sequence = self.sequences.get(dock, 0) + 1
        self.sequences[dock] = sequence
        known = self.notices.get((dock, clip_id))
        if known is not None and not options.keys() - {"lock", "previous"}:
            news = {"previous": sequence - 1, "lock": known.lock} | options | {"sequence": sequence}
            return known.model_copy(update=news)
        made = make_notice(clip_id, dock, sequence, self.clock.now(), **options)
        self.notices.setdefault((dock, clip_id), made)
        return made

    def classify(self, force: str, by: str = "supervisor", **changes: Any) -> tuple[bool, str | None]:
        involved = changes.pop("involved", ["officer"] if force != "none" else [])
        fields = {"force": force, "involved": involved, "incident_id": INCIDENT, "witnesses": []}
        times = {"occurred_at": self.clock.now() - timedelta(hours=2), "classified_at": self.clock.now()}
        base = {"in_custody_death": False, "clip_ids": []}
        return self.attest(st.Classification.model_validate(base | fields | times | changes), by)

    def told(
        self, officer: str = "officer", to: str = "internal_affairs", form: str = "audio", by: str = "affairs"
    ) -> Any:
        recording = hashlib.sha256(b"recording").hexdigest() if form != "unrecorded" else None
        fields = {"incident_id": INCIDENT, "officer_id": officer, "to": to, "form": form}
        statement = st.OfficerStatement.model_validate(
            fields | {"given_at": self.clock.now(), "recording_sha256": recording}
        )
        return self.attest(statement, by)


def make_notice(
    clip_id: str,
    dock: str,
    sequence: int,
    now: datetime,
    *,
    previous: int | None = None,
    officer: str = "officer",
    incidents: tuple[str, ...] = (INCIDENT,),
    recorded: datetime | None = None,
    skew: float = 0.0,
    trigger: str = "dispatch",
    as_of: datetime | None = None,
    integrity: str = "verified",
    recipients: tuple[str, ...] = ("policy", "recovery"),
    signer: str | None = None,
    data_key: bytes = b"k" * 32,
    lock: Lock | None = None,
    footage: str = "",
    unclear: int | None = None,
) -> Notice:
    """A dock's notice of a clip. `footage`: other than what is usual under this clip id."""
    start = recorded or now - timedelta(hours=3)
    sha256 = hashlib.sha256(f"{clip_id}{footage}".encode()).hexdigest()
    capture = agency.signed(
        st.Capture(
            clip_id=clip_id,
            camera_serial="cam-1",
            officer_id=officer,
            size_bytes=1000,
            media_type="video/mp4",
            sha256=sha256,
            started_at=start,
            triggered_at=start,
            stopped_at=start + timedelta(minutes=10),
            pre_event_seconds=0,
            trigger_on=trigger,  # type: ignore[arg-type]
            trigger_off="button",
        ),
        "cam-1",
    )
    held = integrity in {"verified", "unplayable"}
    named = capture.digest if held else None
    wraps = []
    for recipient in recipients:
        key = agency.open_key(recipient).public_key()
        wraps.append(wrap(data_key, key, data_key_info(dock, clip_id, named, keyid(key))))
    seal = st.Seal(
        clip_id=clip_id,
        dock_id=dock,
        bay="bay-1",
        capture_sha256=named,
        clip_sha256=sha256,
        sealed_sha256="cd" * 32,
        sealed_bytes=1056,
        format="AES256_GCM_HKDF_1MB",
        wrapped_keys=tuple(wraps),
        clock_skew_seconds=skew,
        ingested_at=start + timedelta(hours=2),
        integrity=integrity,  # type: ignore[arg-type]
    )
    tag = st.Tag(
        clip_id=clip_id,
        dock_id=dock,
        revision=1,
        dispatch_as_of=as_of,
        unclear=unclear,
        activation=st.Activation(
            verdict="on_time" if incidents else "undispatched",
            revision=1,
            assignments=tuple(_assignment(incident, start) for incident in incidents),
        ),
    )
    by = signer or dock
    return Notice(
        clip_id=clip_id,
        dock_id=dock,
        sequence=sequence,
        previous=sequence - 1 if previous is None else previous,
        published_at=now,
        lock=lock or Lock(state="locked", reason="no release order"),
        integrity=integrity,  # type: ignore[arg-type]
        seal_envelope=agency.signed(seal, by).to_dict(),
        capture_envelope=capture.to_dict() if held else None,
        tag_envelope=agency.signed(tag, by).to_dict(),
        clip_sha256=sha256,
        sealed_sha256=seal.sealed_sha256,
        sealed_bytes=seal.sealed_bytes,
        clock_skew_seconds=skew,
    )


def _assignment(incident: str, start: datetime) -> st.TaggedAssignment:
    return st.TaggedAssignment(
        incident_id=incident,
        incident_type="call",
        unit_id="711",
        dispatched_at=start,
        verdict="on_time",
        covered_seconds=600,
        uncovered_seconds=0,
    )


def policy_config(folder: Path, **settings: Any) -> PolicyConfig:
    """A policy.toml whose files are in `folder`, and whose broker does not answer. `settings` are further keys."""
    base = {
        "agency": "portland",
        "state": "state",
        "sign_key": "unused",
        "open_key": "unused",
        "trust": {"file": "unused", "root": "unused"},
        "broker": {"url": "mqtt://127.0.0.1:1"},
    }
    return check_config(PolicyConfig, base | settings, base=folder, what="test")


def open_office(folder: Path, regime: str = "portland-negotiated-2023", **settings: Any) -> Office:
    """A fresh office. `settings` are further keys of policy.toml."""
    clock = TurnedClock()
    context = open_context(policy_config(folder, **settings), clock, bundled(regime), agency.trust())
    with context.store.transaction():
        context.store.add_trust(context.trust, agency.trust_bytes(), format_instant(clock.now()))
    return Office(context, clock)


def open_context(config: PolicyConfig, clock: Clock, regime: Regime, trust: Trust) -> PolicyContext:
    """The service's parts under `trust`, which came after `agency.trust()`."""
    store = open_store(config)
    for version in (agency.trust(), trust):
        store.remember_trust(version)
    custody = CustodyLog(store.db, "bwc/portland/policy", "policy", create=False)
    keys = (agency.sign_key("policy"), agency.open_key("policy"))
    return PolicyContext(config, clock, store, custody, regime, trust, *keys, Topics("portland"))
