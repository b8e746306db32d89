"""What the policy service is handed: attestations by people, and notices by docks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

from daemon.model import statements as st
from daemon.model import strict_json
from daemon.model.documents import Lock, Notice
from daemon.model.errors import BwcError
from daemon.policy.cases import attestations, notices
from daemon.seal import envelope as envelopes
from tests.hostile.forging import ACCEPTED, Forgery, Party, in_any_envelope, later
from tests.kit import agency
from tests.kit.agency import CLIP, NOW, OTHER_CLIP
from tests.kit.policy_fixture import INCIDENT, Office, make_notice, open_office


def parties(root: Path, stack: ExitStack) -> Iterator[Party]:
    office = open_office(root / "office")
    stack.callback(office.context.store.close)
    office.announce(office.notice())
    yield Party("the policy service's attestations", tuple(_attestations(office)), lambda: _genuine(office))
    yield Party("the policy service's notices", tuple(_notices(office)), lambda: _genuine_notice(office))


def _state(office: Office) -> object:
    db = office.context.store.db
    counted = (
        "SELECT (SELECT count(*) FROM attestation), (SELECT count(*) FROM clip), (SELECT count(*) FROM clip_incident)"
    )
    rest = db.execute(f"{counted}, (SELECT count(*) FROM release_order), (SELECT count(*) FROM request)").fetchall()
    return rest, db.execute("SELECT * FROM clip").fetchall(), db.execute("SELECT * FROM dock").fetchall()


def _refusals(office: Office) -> dict[tuple[str, str], int]:
    rows = office.context.store.db.execute("SELECT kind, error, count FROM refusal")
    return {(kind, error): count for kind, error, count in rows}


def _observed(before: dict[tuple[str, str], int], office: Office) -> str:
    """The error that was counted since."""
    new = [error for (kind, error), count in _refusals(office).items() if before.get((kind, error), 0) != count]
    return new[0] if new else ACCEPTED


def _offer(office: Office, data: bytes, person: str, kind: str, digest: str | None = None) -> str:
    before = _refusals(office)
    try:
        digest = digest or envelopes.parse(data, what="forged").digest
    except BwcError:
        digest = "0" * 64
    with office.context.store.transaction():
        attestations.receive(office.context, data, person, kind, digest)
    return _observed(before, office)


def _raw(office: Office, name: str, error: str, data: bytes, person: str, kind: str) -> Forgery:
    return Forgery(name, error, lambda: _offer(office, data, person, kind), lambda: _state(office))


def _said(office: Office, name: str, error: str, statement: st.Statement, by: str) -> Forgery:
    data = agency.signed(statement, by).to_bytes()
    return _raw(office, f"{statement.kind} {name}", error, data, by, statement.kind)


def _attestations(office: Office) -> Iterator[Forgery]:
    good = {
        "authorization": "chief",
        "classification": "supervisor",
        "statement": "affairs",
        "report": "supervisor",
        "hold": "records",
        "request": "officer",
    }
    for kind, owner in good.items():
        for name, error, data in in_any_envelope(agency.statement(kind), owner):
            expected = "MalformedError" if name.startswith("another kind") else error  # its topic says another
            yield _raw(office, f"{kind}: {name}", expected, data, owner, kind)
    yield from _wrong_people(office)
    yield from _wrong_times(office)
    request = agency.statement("request")
    data = agency.signed(request, "officer").to_bytes()
    state = lambda: _state(office)  # noqa: E731 - as short as it gets
    wrong = "0" * 64
    yield Forgery(
        "a topic that names another digest",
        "MalformedError",
        lambda: _offer(office, data, "officer", "request", wrong),
        state,
    )
    yield _raw(office, "a request in another's name", "SignerNotAllowedError", data, "detective", "request")
    yield _raw(office, "a request as a hold", "MalformedError", data, "officer", "hold")
    order = agency.signed(agency.statement("release"), "policy").to_bytes()
    yield _raw(office, "a release as an attestation", "MalformedError", order, "policy", "release")


def _wrong_people(office: Office) -> Iterator[Forgery]:
    no = "SignerNotAllowedError"

    def of(kind: str, by: str, why: str, **changes: Any) -> Forgery:
        return _said(office, f"by {by}: {why}", no, agency.statement(kind, **changes), by)

    yield of("authorization", "supervisor", "no chief")
    yield of("authorization", "records", "records may only dispose")
    yield of("authorization", "records", "a court without its order", purposes=["court"])
    yield of("authorization", "chief", "for themselves", person_id="chief")
    yield of("classification", "officer", "no supervisor")
    yield of("statement", "supervisor", "not the role it was given to")
    yield of("statement", "affairs", "their own", officer_id="affairs")
    yield of("report", "officer", "no supervisor")
    yield of("report", "supervisor", "their own", officer_id="supervisor")
    yield of("hold", "supervisor", "may not hold")
    yield of("correction", "officer", "no records")
    yield of("correction", "records", "footage they wore", officer_id="records")
    yield of("label", "detective", "may not label")
    yield of("opened", "officer", "another's viewing", person_id="detective")
    for owner in ("dock-1", "cam-1", "policy"):
        yield of("authorization", owner, "no person")
    yield _said(
        office,
        "by records: nothing known of that name",
        "InconsistentError",
        agency.statement("withdrawal", attestation_sha256="0" * 64),
        "records",
    )
    tag = office.context.store.clip(CLIP, "dock-1")
    assert tag is not None
    unknown = agency.statement("correction", clip_id=OTHER_CLIP)
    yield _said(office, "of a clip nobody announced", "InconsistentError", unknown, "records")
    seal = agency.statement("withdrawal", attestation_sha256=tag.seal_sha256)
    yield _said(office, "of what no person signed", "InconsistentError", seal, "chief")


def _wrong_times(office: Office) -> Iterator[Forgery]:
    dated = {
        "authorization": "issued_at",
        "classification": "classified_at",
        "statement": "given_at",
        "report": "filed_at",
        "hold": "at",
        "request": "requested_at",
    }
    for kind, field in dated.items():
        statement = agency.statement(kind)
        if kind == "authorization":
            statement = statement.model_copy(update={"expires_at": NOW + timedelta(days=9)})
        yield _said(office, "dated ahead", "InconsistentError", later(statement, field), agency.SIGNERS[kind])


def _genuine(office: Office) -> str:
    heard = [
        office.attest(agency.statement(kind, incident_id=INCIDENT), agency.SIGNERS[kind])
        for kind in ("classification", "statement", "report")
    ]
    heard += [
        office.attest(agency.statement(kind), agency.SIGNERS[kind]) for kind in ("authorization", "hold", "request")
    ]
    withdrawn = agency.signed(agency.statement("hold"), "records").digest
    stranger = office.attest(agency.statement("withdrawal", attestation_sha256=withdrawn), "supervisor")
    if stranger[0]:
        return "somebody withdrew another's hold"
    return ACCEPTED if all(accepted for accepted, _ in heard) else f"refused: {heard}"


def _announce(office: Office, name: str, error: str, notice: Notice, topic: str | None = None) -> Forgery:
    data = strict_json.dump(notice.plain())

    def offer() -> str:
        before = _refusals(office)
        with office.context.store.transaction():
            notices.receive(office.context, data, notice.dock_id, topic or notice.clip_id)
        return _observed(before, office)

    return Forgery(f"notice {name}", error, offer, lambda: _state(office))


def _notices(office: Office) -> Iterator[Forgery]:
    def made(clip: str = OTHER_CLIP, dock: str = "dock-1", **options: Any) -> Notice:
        return make_notice(clip, dock, 2, NOW, **options)

    no, wrong = "SignerNotAllowedError", "InconsistentError"
    good = made()
    yield _announce(office, "sealed by another dock", no, made(signer="dock-2"))
    yield _announce(office, "sealed by nobody", "BadSignatureError", made(signer="nobody"))
    yield _announce(office, "sealed by a camera", no, made(signer="cam-1"))
    yield _announce(office, "of a clip wrapped to a stranger too", no, made(recipients=("policy", "officer")))
    yield _announce(office, "of a clip not wrapped to the policy service", wrong, made(recipients=("recovery",)))
    yield _announce(office, "of a second, differing seal", wrong, made(CLIP, data_key=b"x" * 32))
    yield _announce(office, "on another clip's topic", wrong, good, CLIP)
    for field, value in (("clip_sha256", "0" * 64), ("sealed_sha256", "0" * 64), ("sealed_bytes", 1)):
        yield _announce(office, f"whose {field} is not its seal's", wrong, good.model_copy(update={field: value}))
    yield _announce(office, "as another dock's", wrong, good.model_copy(update={"dock_id": "dock-2"}))
    other = made(CLIP)
    for field in ("seal_envelope", "tag_envelope", "capture_envelope"):
        taken = getattr(other, field)
        yield _announce(office, f"with another clip's {field}", wrong, good.model_copy(update={field: taken}))
    yield _announce(office, "without its capture", wrong, good.model_copy(update={"capture_envelope": None}))
    yield _announce(office, "without its seal", "MalformedError", good.model_copy(update={"seal_envelope": None}))
    gone = Lock(state="disposed", reason="gone")
    yield _announce(office, "of a disposal nobody ordered", wrong, made(CLIP, lock=gone))
    unwrapped = st.Seal.model_validate_json(envelopes.from_dict(good.seal_envelope or {}, what="seal").payload)
    stolen = made(CLIP).seal_envelope or {}
    wraps = st.Seal.model_validate_json(envelopes.from_dict(stolen, what="seal").payload).wrapped_keys
    resealed = agency.signed(unwrapped.model_copy(update={"wrapped_keys": wraps}), "dock-1").to_dict()
    swapped = good.model_copy(update={"seal_envelope": resealed})
    yield _announce(office, "with another clip's wraps", "TamperedError", swapped)


def _genuine_notice(office: Office) -> str:
    genuine = _announce(office, "", "", make_notice(OTHER_CLIP, "dock-1", 2, NOW))
    heard = genuine.offer()
    return heard if office.context.store.clip(OTHER_CLIP, "dock-1") is not None else "nothing changed"
